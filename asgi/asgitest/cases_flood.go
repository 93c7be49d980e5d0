package asgitest

import (
	"io"
	"net"
	"strings"
	"time"
)

// A client that asks and never reads. What the server owes it waits in the
// outbox: above the high watermark nothing more is read, and the write timeout
// drops the connection.

const (
	// floodTimeout is the engine's write timeout in these cases.
	floodTimeout = time.Second

	// floodPatience is how long a client waits to send on before it takes a
	// server for one that neither reads nor drops it.
	floodPatience = 30 * time.Second

	// floodBytes is more than the kernel's buffers of both directions and an
	// outbox of the default size hold together.
	floodBytes = 32 << 20
)

// floods dials, sends first and then unit again and again, and fails the test if
// the server reads on. dropped says that it has dropped the connection then, and
// did not just stop to read for as long as patience. The answers to units must
// not be much smaller than these.
func (s *session) floods(first, unit string, patience time.Duration) (dropped bool) {
	s.tb.Helper()
	w := s.dial()
	_ = w.conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	_ = w.conn.(*net.TCPConn).SetWriteBuffer(256 << 10)
	w.write(first)
	chunk := strings.Repeat(unit, 64<<10/len(unit))
	for sent := 0; sent < floodBytes; {
		w.conn.SetWriteDeadline(time.Now().Add(patience))
		n, err := io.WriteString(w.conn, chunk)
		sent += n
		switch {
		case err == nil:
		case isTimeout(err):
			return false
		default:
			return true
		}
	}
	s.tb.Errorf("client: the server has read most of %d bytes, and none of its answers was", floodBytes)
	return true
}

// floodsAndIsDropped is floods for answers that are large. Ones of some bytes are
// a packet each, and may leave the kernels of both ends with a window that neither
// opens, and the server with nothing to write.
func (s *session) floodsAndIsDropped(first, unit string) {
	s.tb.Helper()
	if !s.floods(first, unit, floodPatience) {
		s.tb.Errorf("client: the server neither reads nor drops the connection")
	}
}

const rfcFlood = "https://www.rfc-editor.org/rfc/rfc6455#section-10.4"

// floodAnswer fills the kernel's buffers soon.
var floodAnswer = strings.Repeat("answer ", 1<<10)

var eventForm = []string{formEvent} // it is the engine that answers

var floodCases = []testCase{
	{
		name:   "http/150 requests of a client that never reads",
		clause: "decision: a server that owes more than its high watermark reads no further request",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2",
		only:   eventForm,
		waits:  true,
		run: func(s *session) {
			s.serveWith(Setup{WriteTimeout: floodTimeout}, respond("/", floodAnswer))
			s.floodsAndIsDropped("", requestHead("GET /"))
		},
	},
	{
		name:   "http/151 expectations of a client that never reads",
		clause: "decision: a 100 (Continue) counts as every other response does",
		link:   "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1",
		only:   eventForm,
		waits:  true,
		run: func(s *session) {
			s.serveWith(Setup{WriteTimeout: floodTimeout}, respond("/", floodAnswer, request("x")))
			s.floodsAndIsDropped("", requestHead("POST /", "Content-Length: 1", "Expect: 100-continue")+"x")
		},
	},
	{
		name:   "http/152 handshakes that are refused and never read",
		clause: "decision: the server's own answers count as every other response does",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-4.4",
		only:   eventForm,
		waits:  true,
		run: func(s *session) {
			s.serveWith(Setup{WriteTimeout: floodTimeout})
			s.floodsAndIsDropped("", requestHead("GET /", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 12"))
		},
	},
	{
		name:   "ws/80 pings of a client that never reads",
		clause: "decision: pongs count as messages do, and above the high watermark nothing is read",
		link:   rfcFlood,
		only:   eventForm,
		waits:  true,
		run: func(s *session) {
			s.serveWith(Setup{WriteTimeout: floodTimeout}, on("/", accepted(gone())...))
			s.floods(handshake("/"), frame(fin|opPing, strings.Repeat("p", 125)), 5*floodTimeout)
		},
	},
	{
		name:   "ws/81 pings within a message of a client that never reads",
		clause: "decision: pongs count between fragments, too",
		link:   rfcFlood,
		only:   eventForm,
		waits:  true,
		run: func(s *session) {
			s.serveWith(Setup{WriteTimeout: floodTimeout}, on("/", accepted(gone())...))
			ping := frame(fin|opPing, strings.Repeat("p", 125))
			s.floods(handshake("/")+frame(opText, "begun"), ping+frame(opContinuation, "")+ping, 5*floodTimeout)
		},
	},
	{
		name:   "ws/82 one close frame, however many come",
		clause: "after a close frame nothing is sent (RFC 6455 section 5.5.1)",
		link:   "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1",
		run: func(s *session) {
			s.serve(on("/", accepted(closed(1000, ""))...))
			w := s.dial()
			w.upgrade("/")
			w.write(strings.Repeat(closeFrame(1000, "")+frame(fin|opPing, "p"), 1000))
			w.closing(1000, "")
			w.ends()
		},
	},
}
