package autobahn

// Case is one case: what a client sends after the handshake, and what it must
// get from a server that echoes messages.
//
// Safe for concurrent use: only read.
type Case struct {
	ID     string
	Frames []Frame

	// Want is what comes before the server's close frame, in order.
	Want []Reply

	// Close is the code of the server's close frame; 0: the frame is empty.
	Close int

	// Breaks is the rule that the client breaks, for which it is closed.
	Breaks Rule

	// FailsAt is the number of bytes of Stream after which the server must have
	// failed, while it must not one byte earlier. 0: the case does not say.
	FailsAt int

	// Chop is the size, in bytes, of the pieces in which the client writes. 0:
	// the case does not say.
	Chop int

	// Turns says that the client waits for the answer to a frame before it sends
	// the next one.
	Turns bool
}

// Stream is what the client writes.
func (c Case) Stream() []byte { return Stream(c.Frames...) }

// Group is a group of cases. Cases makes them anew at every call.
//
// Safe for concurrent use: only read.
type Group struct {
	Name  string
	Cases func() []Case
}

// Groups are the groups whose cases are short, at most about 64 KiB.
var Groups = []Group{
	{"1 framing", framing},
	{"2 pings", pings},
	{"3 reserved bits", reservedBits},
	{"4 opcodes", opcodes},
	{"5 fragmentation", fragmentation},
	{"6.1-6.3 text", texts},
	{"6.4 fail fast", failFast},
	{"6.5-6.23 UTF-8", sequences},
	{"7 close", closes},
	{"7.7-7.9 close codes", closeCodes},
	{"10 auto-fragmentation", autoFragmentation},
}

// LargeGroups are the groups of limits and performance: up to 16 MiB in a
// message, 64 Ki frames or 1000 messages.
var LargeGroups = []Group{
	{"9.1-9.2 sizes", sizes},
	{"9.3-9.4 fragments", manyFragments},
	{"9.5-9.6 chops", manyChops},
	{"9.7-9.8 round trips", roundTrips},
}

// clean is a case that the client ends with its close, after the given answers.
func clean(id string, frames []Frame, want ...Reply) Case {
	return Case{ID: id, Frames: append(frames[:len(frames):len(frames)], Closing(normal, "")), Want: want, Close: normal}
}

// broken is a case that the server must end because of a rule.
func broken(id string, rule Rule, frames []Frame, want ...Reply) Case {
	return Case{ID: id, Frames: frames, Want: want, Close: rule.Code(), Breaks: rule}
}

func (c Case) chopped(size int) Case {
	c.Chop = size
	return c
}

// normal is the close code of the same name in RFC 6455 §7.4.1.
const normal = 1000

// Rule is a rule of the protocol that a client can break.
type Rule uint8

// The rules that the cases break.
const (
	NoRule             Rule = iota
	ReservedBits            // https://www.rfc-editor.org/rfc/rfc6455#section-5.2
	ReservedOpcode          // the same
	NothingToContinue       // https://www.rfc-editor.org/rfc/rfc6455#section-5.4
	MessageUnfinished       // the same
	ControlFragmented       // https://www.rfc-editor.org/rfc/rfc6455#section-5.5
	ControlTooLong          // the same
	CloseTooShort           // https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
	CloseReasonNotUTF8      // the same
	CloseCodeReserved       // https://www.rfc-editor.org/rfc/rfc6455#section-7.4
	TextNotUTF8             // https://www.rfc-editor.org/rfc/rfc6455#section-8.1
)

// Code is the close code for a client that broke r
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1).
func (r Rule) Code() int {
	switch r {
	case CloseReasonNotUTF8, TextNotUTF8:
		return 1007
	default:
		return 1002
	}
}
