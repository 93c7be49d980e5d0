package nethttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/internal/engine"
)

// upgrade completes the opening handshake, on the goroutine of net/http. There
// is one end for each direction: gorilla's reader answers what breaks a rule by
// itself, ahead of all that waits, and so it gets a connection that says nothing.
func (x *webSocketExchange) upgrade(w http.ResponseWriter, r *http.Request) (out, in *gorilla.Conn, sock *socket, err error) {
	header := http.Header{}
	for _, h := range x.accepted {
		// What the handshake consists of is gorilla's to write.
		if name := http.CanonicalHeaderKey(h.Name); name != "Upgrade" && name != "Connection" && name != "Sec-Websocket-Accept" {
			header.Add(name, h.Value)
		}
	}
	up := gorilla.Upgrader{
		HandshakeTimeout:  x.h.cfg.WriteTimeout,
		EnableCompression: x.h.cfg.Compression,
		CheckOrigin:       func(*http.Request) bool { return true }, // it has been checked
		Error:             func(http.ResponseWriter, *http.Request, int, error) {},
		ReadBufferSize:    1, // nothing is read by this end
	}
	taken := &hijacker{ResponseWriter: w}
	if out, err = up.Upgrade(taken, r, header); err != nil {
		if taken.conn == nil {
			x.h.cfg.Logger.Error("nethttp: a WebSocket cannot be opened", "error", err)
		}
		return nil, nil, nil, err
	}
	sock = taken.conn
	sock.lastRead.Store(time.Now().UnixNano())
	up.ReadBufferSize, up.WriteBufferPool = wsReadBuffer, new(sync.Pool)
	if in, err = up.Upgrade(&muted{ResponseWriter: w, socket: sock}, r, nil); err != nil {
		_ = sock.Close()
		return nil, nil, nil, err
	}
	x.setHandlers(in)
	return out, in, sock, nil
}

func (x *webSocketExchange) setHandlers(in *gorilla.Conn) {
	in.SetPongHandler(func(string) error { return nil }) // any byte counts
	in.SetPingHandler(x.readPing)
	// What is declared is refused before it is read. Compressed, a message of
	// incompressible data is a little longer.
	limit := x.h.cfg.WebSocket.MaxMessageBytes
	if x.h.cfg.Compression {
		limit = max(limit, limit+limit/1000+64)
	}
	in.SetReadLimit(limit)
}

// hijacker hands gorilla a connection together with what the client has sent
// since its handshake, which is legal of it to do; gorilla would refuse.
//
// Not safe for concurrent use.
type hijacker struct {
	http.ResponseWriter
	conn *socket
}

var errNotHijackable = errors.New("nethttp: the http.ResponseWriter does not let the connection be taken over")

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, errors.Join(errNotHijackable, err)
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered()) // what is there can be peeked at
	h.conn = &socket{Conn: conn, early: append([]byte(nil), early...), said: make(chan struct{})}
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, 0), rw.Writer), nil
}

// muted hands gorilla a connection that was taken over, without its writing.
//
// Not safe for concurrent use.
type muted struct {
	http.ResponseWriter
	socket *socket
}

func (m *muted) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return silent{m.socket}, bufio.NewReadWriter(bufio.NewReaderSize(m.socket, 0), bufio.NewWriterSize(io.Discard, 0)), nil
}

// silent is a socket for reading only.
type silent struct{ *socket }

func (silent) Write(p []byte) (int, error)      { return len(p), nil }
func (silent) SetDeadline(time.Time) error      { return nil }
func (silent) SetWriteDeadline(time.Time) error { return nil }

// wsReadBuffer is what is read of a WebSocket at a time, in bytes.
const wsReadBuffer = 4 << 10

// socket is a connection that was taken over.
//
// Safe for concurrent use as far as the connection is, with one reader.
type socket struct {
	net.Conn
	early    []byte // read already
	starts   frameStarts
	lastRead atomic.Int64 // Unix time in ns; any byte counts as life

	end  sync.Once
	said chan struct{} // closed when nothing more is written
}

// Read reads frames up to a close frame, which is an error: a *gorilla.CloseError
// if the frame is valid.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.fill(p)
	if before := s.starts.beforeClose(p[:n]); before < n {
		s.early = append(append([]byte(nil), p[before:n]...), s.early...)
		n = before
		if n == 0 {
			return 0, s.readClose()
		}
	}
	return n, err
}

func (s *socket) fill(p []byte) (n int, err error) {
	if len(s.early) > 0 {
		n = copy(p, s.early)
		s.early = s.early[n:]
	} else {
		n, err = s.Conn.Read(p)
	}
	if n > 0 {
		s.lastRead.Store(time.Now().UnixNano())
	}
	return n, err
}

// closeWrite ends our stream. The peer may still be sending, and closing at once
// would reset the connection and destroy what is on its way to it.
func (s *socket) closeWrite(timeout time.Duration) {
	defer s.endWriting()
	_ = s.SetReadDeadline(time.Now().Add(timeout))
	half, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = s.Close()
	}
}

// lingerBytes bounds what a peer may go on sending after the close.
const lingerBytes = engine.LingerBytes

func (s *socket) endWriting() { s.end.Do(func() { close(s.said) }) }

// Close drops what is not written.
func (s *socket) Close() error {
	s.endWriting()
	return s.Conn.Close()
}

// linger reads until the peer has closed, too, and closes once all is written.
func (s *socket) linger() {
	_, _ = io.CopyN(io.Discard, s.Conn, lingerBytes)
	<-s.said
	_ = s.Close()
}

var closeHeader = []asgi.Header{{Name: "connection", Value: "close"}}
