package websocket

// EventKind tells the events of Next apart.
type EventKind uint8

const (
	// NeedData: all bytes were taken and no event is complete.
	NeedData EventKind = iota
	// Message: a whole data message; Event.Message tells text from binary.
	Message
	// Ping: the peer's ping. The caller answers with AppendPong of Event.Data,
	// as soon as it can (RFC 6455 §5.5.2).
	Ping
	// Pong: the peer's pong, asked for or not; it needs no answer.
	Pong
	// Close: the peer's close, with Event.Code and its reason in Event.Data. The
	// caller answers with AppendClose of the same code unless its own close was
	// sent before (RFC 6455 §5.5.1). A message that was arriving is lost.
	Close
	// Closed: bytes that came after the peer's close; they were ignored.
	Closed
)

// String returns the kind's name in lower case.
func (k EventKind) String() string {
	switch k {
	case NeedData:
		return "need data"
	case Message:
		return "message"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Close:
		return "close"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// MessageKind is the type of a data message; its values are the opcodes of
// RFC 6455 §5.2.
type MessageKind uint8

const (
	// Text is a message of valid UTF-8.
	Text = MessageKind(OpText)
	// Binary is a message of any bytes.
	Binary = MessageKind(OpBinary)
)

// String returns "text" or "binary".
func (k MessageKind) String() string {
	switch k {
	case Text:
		return "text"
	case Binary:
		return "binary"
	}
	return "unknown"
}

// Event is what Next found. It is returned by value and sized so that it
// travels in registers.
//
// Not safe for concurrent use: Data is borrowed.
type Event struct {
	Kind    EventKind
	Message MessageKind // kind Message only
	Code    int         // kind Close only: the peer's code, CloseNoStatus if it gave none
	N       int         // bytes of p that were taken, counting from its start

	// Data is the payload of a message, ping or pong, or the reason of a close
	// (valid UTF-8, at most 123 bytes). Unless it is Owned it is valid until the
	// next call of Next and may be part of p: whoever wants to keep it copies it.
	Data []byte

	// Owned: Data was gathered in memory of Config.Buffers, which is the caller's
	// now, to be given back or kept.
	Owned bool
}
