package nethttp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// idleConns are the connections of a Server that wait for a request. A drain
// ends them by a read deadline, which only the goroutine that reads acts on: one
// that has just taken a request answers it. http.Server.Shutdown would close the
// connection under it. One that is reading a head goes on, up to
// Config.HeadTimeout.
//
// Safe for concurrent use.
type idleConns struct {
	mu      sync.Mutex
	waiting map[net.Conn]*watchedConn
	ending  bool
	changed chan struct{} // closed when the last one is gone, while ending
}

// note is the http.Server's ConnState.
func (c *idleConns) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateNew || state == http.StateIdle && !speaksHTTP2(conn) {
		if c.waiting == nil {
			c.waiting = map[net.Conn]*watchedConn{}
		}
		watched := watchedOf(conn)
		watched.began.Store(false)
		c.waiting[conn] = watched
		return
	}
	if _, ok := c.waiting[conn]; !ok {
		return
	}
	delete(c.waiting, conn)
	if !c.ending {
		return
	}
	if state == http.StateActive {
		_ = conn.SetReadDeadline(time.Time{}) // a body may follow; nothing else has set one
	}
	if len(c.waiting) == 0 && c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// watchedConn knows whether a request has begun to arrive, and whether the peer has
// left, and makes room when it is closed.
//
// Safe for concurrent use, as the net.Conn is.
type watchedConn struct {
	net.Conn
	began     atomic.Bool
	departure departure
	leave     func() // nil: it takes no room
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.began.Load() {
		c.began.Store(true)
	}
	return n, err
}

func (c *watchedConn) Close() error {
	err := c.Conn.Close()
	if c.leave != nil {
		c.leave()
	}
	return err
}

// CloseWrite is that of a TCP or Unix connection.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger is that of a TCP connection.
func (c *watchedConn) SetLinger(seconds int) error {
	if tcp, ok := c.Conn.(interface{ SetLinger(seconds int) error }); ok {
		return tcp.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

func watchedOf(conn net.Conn) *watchedConn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if c, ok := conn.(*watchedConn); ok {
		return c
	}
	return &watchedConn{Conn: conn} // of a listener that is not ours
}

// speaksHTTP2 reports whether an idle connection does: it gets a GOAWAY of
// http.Server.Shutdown.
func speaksHTTP2(conn net.Conn) bool {
	t, ok := conn.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

// interruptEvery is the pause after which a connection that still waits is
// interrupted again: net/http sets the deadline of its idle time, too, and may
// have done so last.
const interruptEvery = 5 * time.Millisecond

// end blocks until no connection waits for a request, or ctx is done.
func (c *idleConns) end(ctx context.Context) {
	again := time.NewTicker(interruptEvery)
	defer again.Stop()
	for {
		gone := c.interrupt()
		if gone == nil {
			return
		}
		select {
		case <-gone:
			return
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// interrupt returns nil if there is no connection to interrupt.
func (c *idleConns) interrupt() (gone <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	if len(c.waiting) == 0 {
		return nil
	}
	for conn, watched := range c.waiting {
		if !watched.began.Load() {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		}
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}
