package nethttp

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// leaving is how far the peer of a connection is gone.
type leaving uint8

const (
	stays  leaving = iota
	ended          // it has ended its stream; what it sent before may be unread
	broken         // both directions are over, by a reset or otherwise
)

// departure is what a connection knows of its peer's. net/http looks for the end of
// a stream by reading a byte ahead. That tells nothing once there is such a byte,
// and it does not begin before the body was read.
//
// Safe for concurrent use.
type departure struct {
	mu   sync.Mutex
	how  leaving
	told func(how leaving) // nil: nobody asks
}

// set notes how the peer left.
func (d *departure) set(how leaving) {
	d.mu.Lock()
	d.how = max(d.how, how)
	told := d.told
	d.mu.Unlock()
	if told != nil {
		told(how)
	}
}

// tell has fn called when the peer leaves, at once if it already has; it must not
// block. It takes the place of the function before; nil is none.
func (d *departure) tell(fn func(how leaving)) {
	d.mu.Lock()
	d.told = fn
	how := d.how
	d.mu.Unlock()
	if fn != nil && how != stays {
		fn(how)
	}
}

// connKey is the key of the *watchedConn in a context.
type connKey struct{}

// withConn is the http.Server's ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, watchedOf(conn))
}

// departureOf is the departure of the client of r; of a connection that is not
// watched, or carries many requests, it is one that never comes.
func departureOf(r *http.Request) *departure {
	if c, ok := r.Context().Value(connKey{}).(*watchedConn); ok && r.ProtoMajor == 1 {
		return &c.departure
	}
	return new(departure)
}

// onLeave has departed called when the client of r leaves, perhaps more than once,
// until stop is called. It must not block.
func onLeave(r *http.Request, departed func(how leaving)) (stop func()) {
	cancelled := ended // net/http has read to the end of the stream
	if r.ProtoMajor >= 2 {
		cancelled = broken
	}
	forget := context.AfterFunc(r.Context(), func() { departed(cancelled) })
	d := departureOf(r)
	d.tell(departed)
	return func() {
		forget()
		d.tell(nil)
	}
}
