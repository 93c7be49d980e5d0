package websocket

import "math"

// Config holds the limits of a Machine. The zero value is the default; a nil
// *Config means the zero value. A Machine keeps the pointer, so one Config
// serves every connection and must not change while a machine uses it.
//
// Safe for concurrent use: only read.
type Config struct {
	// MaxMessageBytes is the largest message accepted from the peer, in payload
	// bytes over all its frames. A frame that would pass it is refused with 1009
	// when its length is declared, before anything of it is buffered.
	//
	// Default: 16 MiB, the largest message common clients and test suites send
	// without being told to. Negative: no limit, so that a peer may fill memory;
	// only for peers that are trusted.
	MaxMessageBytes int64

	// Buffers lends the memory of messages that come in pieces. Default: nil, it
	// is allocated.
	Buffers Buffers
}

func (c *Config) take(n int) []byte {
	if c == nil || c.Buffers == nil {
		return make([]byte, 0, n)
	}
	return c.Buffers.Take(n)
}

func (c *Config) give(p []byte) {
	if c != nil && c.Buffers != nil && p != nil {
		c.Buffers.Give(p)
	}
}

const defaultMaxMessageBytes = 16 << 20

// messageLimit is the bound in bytes; it fits an int, because a message is
// handed over as one slice.
func (c *Config) messageLimit() int64 {
	switch {
	case c == nil || c.MaxMessageBytes == 0:
		return defaultMaxMessageBytes
	case c.MaxMessageBytes < 0:
		return math.MaxInt
	default:
		return min(c.MaxMessageBytes, math.MaxInt)
	}
}

// A Machine is the protocol state of one open WebSocket connection, server
// side, from the end of the handshake on. The zero Machine is ready to use with
// the default Config, so it may be embedded by value; it takes less than 96
// bytes and owns no memory outside itself between messages.
//
// Not safe for concurrent use.
type Machine struct {
	config *Config
	rare   *rare // nil but for a machine that failed, or moves a large message

	// gathered holds the payload of the message that is arriving, as far as it
	// came in earlier calls; nil as soon as the message is handed over. It lies in
	// memory of Config.Buffers.
	gathered []byte
	// control holds the payload of a control frame that was cut; it exists only
	// until the rest has come.
	control *controlPayload

	frame frame

	header    [maxHeader]byte // a frame header that was cut
	headerLen uint8

	phase     phase
	message   MessageKind // of the message that is arriving; 0 between messages
	text      textCheck
	closeSent bool
}

// phase is what the next byte from the peer means.
type phase uint8

const (
	phaseHeader  phase = iota // a byte of a frame header
	phasePayload              // a byte of the current frame's payload, or its end
	phaseClosed               // nothing: the peer's close was delivered
	phaseFailed               // nothing: the peer broke a rule
)

// New returns a machine for a connection whose handshake is done. cfg is kept,
// not copied; nil means the defaults.
func New(cfg *Config) *Machine {
	m := new(Machine)
	m.Init(cfg)
	return m
}

// Init makes m a machine for a new connection, whatever it was before. cfg is
// kept, not copied; nil means the defaults.
func (m *Machine) Init(cfg *Config) { *m = Machine{config: cfg} }

// CloseSent reports whether our close has been appended: nothing may be sent
// any more (RFC 6455 §5.5.1).
func (m *Machine) CloseSent() bool { return m.closeSent }

// CloseReceived reports whether the peer's close was delivered by Next: nothing
// more will be read. With CloseSent it means that the closing handshake is
// complete and the server closes the TCP connection first (RFC 6455 §7.1.1).
func (m *Machine) CloseReceived() bool { return m.phase == phaseClosed }
