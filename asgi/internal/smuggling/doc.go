// Package smuggling has hostile requests, which servers, proxies and libraries
// have taken for something else than they are: a framing field that one sees and
// another does not, a lenient line end, a length read by a lenient function. It
// is data, and net/http as a second opinion on the framing; the same requests
// are given to the protocol machine and to a server over TCP.
//
// https://www.rfc-editor.org/rfc/rfc9112#section-11.2 tells what is at stake.
package smuggling

// Case is what a client sends, and what must come of it.
//
// Safe for concurrent use: only read.
type Case struct {
	Name     string
	Raw      string
	Status   int // of the refusal with which it ends; 0: nothing is refused
	Requests int // how many complete requests there are, before a refusal if any
}
