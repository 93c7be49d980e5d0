package nethttp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gale-server/gale/eventloop/descriptors"
)

// room counts the connections of a Server, and refuses those above its cap. It
// watches for clients that leave.
//
// Safe for concurrent use.
type room struct {
	cap     *descriptors.Cap
	refusal []byte // what a client above the cap reads; none under TLS

	open     atomic.Int64 // connections that are served
	refusing atomic.Int64 // connections that are being refused
	hangups  hangups      // of those that are served
}

// maxRefusing bounds how many connections are being told that they are too many;
// a further one is closed at once behind its answer. They live in the reserve of descriptors, and
// have half of it at most.
const maxRefusing = 64

// refuseTime bounds how long a client may take to read why it is refused, and
// refuseBytes what it may send meanwhile.
const (
	refuseTime  = 5 * time.Second
	refuseBytes = 64 << 10
)

var errNoRoom = fmt.Errorf("the limit of open files leaves no room for connections: %w", syscall.EMFILE)

// newRoom makes the room of a server with these settings.
func newRoom(cfg Config, derived bool) *room {
	r := &room{cap: descriptors.NewCap(cfg.MaxConns, derived)}
	if cfg.TLS != nil {
		return r
	}
	server := ""
	if cfg.Name != "" {
		server = "Server: " + cfg.Name + "\r\n"
	}
	text := http.StatusText(http.StatusServiceUnavailable)
	r.refusal = fmt.Appendf(nil, "HTTP/1.1 503 %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		text, server, len(text)+1, text)
	return r
}

// taken is the number of descriptors that connections have.
func (r *room) taken() int { return int(r.open.Load() + r.refusing.Load()) }

// enter reports whether there is room for one more connection, which then counts
// until leave.
func (r *room) enter() bool {
	if r.cap.Allows(int(r.open.Add(1)), int(r.refusing.Load()), time.Now()) {
		return true
	}
	r.open.Add(-1)
	return false
}

// watch makes a connection that has entered one that leaves when it is closed.
func (r *room) watch(conn net.Conn) *watchedConn {
	c := &watchedConn{Conn: conn}
	forget := r.hangups.watch(conn, &c.departure)
	c.leave = sync.OnceFunc(func() {
		forget()
		r.leave()
	})
	return c
}

func (r *room) leave() { r.open.Add(-1) }

// refuse tells a client that there is no room, and closes its connection.
func (r *room) refuse(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(refuseTime))
	_, err := conn.Write(r.refusal) // the first bytes of a connection find room in its buffer
	if err != nil || r.refusal == nil || r.refusing.Load() >= int64(min(maxRefusing, descriptors.Reserve()/2)) {
		_ = conn.Close()
		return
	}
	r.refusing.Add(1)
	go func() { // ends after refuseTime
		defer r.refusing.Add(-1)
		defer conn.Close()
		if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, conn, refuseBytes)
		}
	}()
}

// roomListener gives the connections for which there is room, and refuses others.
//
// Safe for concurrent use, as the net.Listener is.
type roomListener struct {
	net.Listener
	room *room
}

func (l roomListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) {
			l.room.cap.RanOut(l.room.taken(), time.Now())
		}
		if err != nil {
			return nil, err
		}
		if l.room.enter() {
			return l.room.watch(conn), nil
		}
		l.room.refuse(conn)
	}
}
