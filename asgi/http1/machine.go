package http1

// Machine is the server's end of one HTTP/1.1 connection: requests are read
// with Next, responses written with the Append methods. New makes one; a
// Machine embedded in another struct is set up with Reset.
//
// It holds no buffer while it is idle or passes a body through.
//
// Not safe for concurrent use.
type Machine struct {
	cfg *Config
	err *Error // sticky: what Next has returned

	// buf is the unfinished head; of a chunked request, the trailer section.
	buf []byte

	remaining int64 // request: octets left of the body or chunk; the size while it is read
	received  int64 // request: octets of the chunked body announced so far
	drain     int64 // octets that may still be read and dropped after the response
	owed      int64 // response: octets of Content-Length not yet appended

	checked   int32 // buf: end of the last line that was checked
	lines     int32 // buf: how many lines were checked
	chunkExt  int32 // octets of the extensions of this chunk
	bodyExt   int32 // octets of the extensions of this body
	sizeWidth uint8 // digits of this chunk size

	in      inState
	chunk   chunkState
	out     outState
	framing framing
	flags   flags
}

type flags uint16

const (
	flagBlank    flags = 1 << iota // an empty line before the request line was skipped
	flagHead                       // the method is HEAD
	flagConnect                    // the method is CONNECT
	flagOld                        // the request is HTTP/1.0
	flagContinue                   // the client waits for a 100 that was not sent
	flagUpgrade                    // the request may be answered with 101
	flagTrailers                   // the client accepts trailers
	flagClose                      // this is the connection's last response
	flagExpected                   // the application announced trailers
)

// inState is what the next octet of the peer belongs to. The order counts:
// states of the body stand before inDone, those after the last request from
// inClosed on.
//
//	head -> length ---------------------------------> end -> done -> head
//	     -> chunkLine -> chunkData -> CR -> LF ->...   ^
//	                  -> trailer ----------------------+
type inState uint8

const (
	inHead      inState = iota
	inLength            // body of Content-Length octets
	inChunkLine         // chunk size and extensions
	inChunkData         // data of a chunk
	inChunkCR           // the CRLF after chunk data
	inChunkLF           // its second half
	inTrailer           // trailer section
	inEnd               // nothing; End is to be reported
	inDone              // nothing; the response is to be completed
	inClosed            // nothing; all input is ignored
	inSwitched          // another protocol
	inFailed            // nothing; err is reported again
)

// EventKind is what Next found.
//
// Safe for concurrent use: a number.
type EventKind uint8

const (
	// NeedData: all of p is consumed and more is needed.
	NeedData EventKind = iota
	// Request: a head is complete and in the Head.
	Request
	// Body: Data is the next part of the request body.
	Body
	// End: the request is complete, and Trailers may be read. It is not
	// reported once the response is complete.
	End
	// Paused: the request is complete and its response is not. Nothing is
	// consumed; call again after the response is complete.
	Paused
	// Closed: the connection carries no further request. All input is consumed
	// and ignored, so that a lingering close can read it (RFC 9112 §9.6).
	Closed
	// Switched: after AppendUpgrade. Nothing is consumed; what follows belongs
	// to the new protocol.
	Switched
)

var kindNames = [...]string{"NeedData", "Request", "Body", "End", "Paused", "Closed", "Switched"}

func (k EventKind) String() string { return kindNames[k] }

// Event is one step of the peer's stream.
//
// Not safe for concurrent use: Data aliases the bytes given to Next.
type Event struct {
	Kind EventKind
	N    int    // octets of p consumed
	Data []byte // Body only: a part of p
}

// New makes a machine. A nil cfg has the defaults; cfg is shared, not copied.
func New(cfg *Config) *Machine {
	m := new(Machine)
	m.Reset(cfg)
	return m
}

// Reset makes m a new machine for a new connection.
func (m *Machine) Reset(cfg *Config) {
	if cfg == nil {
		cfg = &defaults
	}
	*m = Machine{cfg: cfg}
}

// Next consumes octets of p, which is not retained, up to the next event. Call
// it again with the rest until it reports NeedData, Paused, Closed or Switched;
// after a Request or Body, even with an empty rest. h is filled in for Request
// and clobbered by every call while no request is under way.
//
// The error is an *Error and final: answer with AppendError, then close.
func (m *Machine) Next(p []byte, h *Head) (Event, error) {
	if m.draining() {
		return m.drainBody(p, h)
	}
	switch m.in {
	case inHead:
		return m.nextHead(p, h)
	case inDone:
		return Event{Kind: Paused}, nil
	case inClosed:
		return Event{Kind: Closed, N: len(p)}, nil
	case inSwitched:
		return Event{Kind: Switched}, nil
	case inFailed:
		return Event{}, m.err
	}
	return m.nextBody(p)
}

// EOF tells m that the peer will send nothing more. The error, if any, is an
// *Error: the stream ended inside a message, which is not to be taken for
// complete (RFC 9112 §8). A complete request can still be answered; its
// response is the last one.
func (m *Machine) EOF() error {
	switch {
	case m.in == inFailed:
		return m.err
	case m.in >= inClosed:
		return nil
	case m.HeadPending():
		return m.fail(errHeadEOF)
	case m.in == inHead || m.draining():
		m.close()
	case !m.BodyDone():
		return m.fail(errBodyEOF)
	}
	m.flags |= flagClose
	return nil
}

// fail makes err the answer to every further Next.
func (m *Machine) fail(err *Error) error {
	m.in, m.err, m.buf = inFailed, err, nil
	m.flags |= flagClose
	return err
}

// close ends the connection's requests; what still arrives is ignored.
func (m *Machine) close() { m.in, m.buf = inClosed, nil }

// idle makes m ready for the next head.
func (m *Machine) idle() { *m = Machine{cfg: m.cfg} }

// draining reports whether the response is complete and the request body is not.
func (m *Machine) draining() bool { return m.out == outDone && m.in < inDone }

// KeepAlive reports whether the connection may carry another request after this
// one, as far as is known. After the last response it is false.
func (m *Machine) KeepAlive() bool { return m.in < inClosed && m.flags&flagClose == 0 }

// NeedContinue reports whether the client waits for a 100 (Continue) before it
// sends the body; see AppendContinue.
func (m *Machine) NeedContinue() bool { return m.flags&flagContinue != 0 && m.out == outHead }

// InRequest reports whether a request has been delivered and either its body or
// its response is not complete.
func (m *Machine) InRequest() bool {
	return m.draining() || m.out != outIdle && m.out != outDone
}

// BodyDone reports whether no octet of the request body is still to be read.
// With Content-Length it turns true with the last Body event, before End.
func (m *Machine) BodyDone() bool {
	switch m.in {
	case inLength:
		return m.remaining == 0
	case inChunkLine, inChunkData, inChunkCR, inChunkLF, inTrailer, inFailed:
		return false
	}
	return true
}

// ResponseDone reports whether no response is owed: the last one is complete,
// or there has been no request yet.
func (m *Machine) ResponseDone() bool { return m.out == outIdle || m.out == outDone }

// HeadPending reports whether a part of a head has arrived and its end has not:
// the time during which a head timeout runs.
func (m *Machine) HeadPending() bool { return m.in == inHead && len(m.buf) > 0 }

// Buffered is the number of bytes the machine keeps.
func (m *Machine) Buffered() int { return len(m.buf) }
