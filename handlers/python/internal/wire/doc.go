// Package wire is gale's side of the messages between gale and a Python worker, which
// PROTOCOL.md of package python describes: it appends the frames that gale sends, and
// takes apart those that it gets. It does no I/O.
//
// What a worker sends is not trusted. Every length, kind, type and depth is checked,
// and a message is refused whole: what was decoded of it before the fault is not valid.
// Nothing that is decoded is larger than the message.
package wire

// The links' frames from gale.
const (
	Request = 1 + iota
	WebSocket
	WSGI
	Body
	Message
	Gone
	Credit
	Taken
)

// The links' frames from a worker.
const (
	Response = 1 + iota
	Start
	Chunk
	Trailers
	Hint
	File
	Accept
	Send
	Close
	Took
	End
	Seen
	Deny
)

const (
	// MaxMessageBytes bounds a message, without its length.
	MaxMessageBytes = 1 << 20
	// PieceBytes bounds the data in a frame of gale's.
	PieceBytes = 64 << 10
	// HeadBytes precede a message.
	HeadBytes = 4
)
