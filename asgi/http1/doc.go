// Package http1 is the server side of HTTP/1.1 as a machine without I/O: bytes
// of the peer go in and come out as events; the application's response goes in
// and comes out as bytes to write. It opens no socket, reads no clock, starts
// no goroutine and takes no lock.
//
// It is not a server and not a client: who reads, writes, closes and measures
// time is up to the caller, and so is the meaning of a request.
//
// # Use
//
// One [Machine] serves one connection. The caller hands it whatever arrived and
// keeps calling until it asks to stop:
//
//	for {
//		ev, err := m.Next(p, head)
//		if err != nil {
//			out = m.AppendError(out, err.(*http1.Error).Status, date, server)
//			break // write out, then close lingeringly
//		}
//		p = p[ev.N:]
//		switch ev.Kind {
//		case http1.Request: // head is filled
//		case http1.Body: // ev.Data
//		case http1.End: // the request is complete
//		case http1.NeedData: // read more
//		case http1.Paused: // keep p; go on when the response is complete
//		case http1.Closed, http1.Switched: // no more HTTP here
//		}
//	}
//
// The response is [Machine.AppendStart], any number of [Machine.AppendBody],
// then [Machine.AppendLastBody]. Pipelined requests are delivered one at a time:
// the next one appears when the response to the one before is complete.
//
// # Four laws
//
//   - Split invariance: how the stream is cut into calls of Next changes neither
//     the requests, nor their bodies, nor the error and the octet it is raised at.
//   - Error atomicity: a method that returns an error has changed neither the
//     machine nor the destination's length. An [Error] of Next is final.
//   - Drain: every Append method returns all bytes it owes; nothing is held back.
//   - Bound: a machine keeps at most one unfinished head or trailer section,
//     never more than Config.MaxHeadBytes or Config.MaxTrailerBytes of it, and
//     nothing at all between requests and while a body passes through.
//
// # Strictness
//
// Where the specification leaves a choice that has been used for request
// smuggling, the strict side is taken: lines end in CRLF only, a request with
// both Transfer-Encoding and Content-Length, with a repeated Content-Length or
// with any transfer coding other than exactly "chunked" is refused, obsolete
// line folding is refused, and a refused request is the last of its connection.
//
// # Concurrency
//
// Nothing in this package is safe for concurrent use; a Machine belongs to the
// event loop of its connection. A [Head] may be shared by all machines of a loop.
//
// # Terminology
//
// head: request line or status line with its fields, up to the empty line.
// target: the second word of the request line. piece: some bytes of a response
// body as the application sends them. final response: one whose status is 200
// or above. drain: to read and drop the body of a request already answered.
//
// # Specifications
//
//   - HTTP semantics: https://www.rfc-editor.org/rfc/rfc9110
//   - HTTP/1.1: https://www.rfc-editor.org/rfc/rfc9112
//   - 103 Early Hints: https://www.rfc-editor.org/rfc/rfc8297
//   - 431 Request Header Fields Too Large: https://www.rfc-editor.org/rfc/rfc6585
//   - ASGI HTTP: https://asgi.readthedocs.io/en/latest/specs/www.html
package http1
