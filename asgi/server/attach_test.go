package server

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// worksWith is an application that works with somebody at the other end of a socket:
// it passes requests on, and answers with what comes back.
type worksWith struct {
	t      *testing.T
	file   *os.File
	socket asgi.Socket
	asks   []asgi.Exchange
	out    []byte
	turns  int
	closed chan error
}

func (w *worksWith) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	if w.file != nil {
		file := w.file
		w.file = nil
		must(w.t, asgi.LoopOf(x).Attach(file, func(s asgi.Socket) asgi.SocketReceiver {
			w.socket = s
			s.Schedule()
			return w
		}))
	}
	w.asks = append(w.asks, x)
	w.out = append(w.out, '?')
	if w.socket != nil {
		w.socket.Schedule()
	}
	return nil
}

func (w *worksWith) Data(p []byte) {
	for range p {
		x := w.asks[0]
		w.asks = w.asks[1:]
		respond(w.t, x, 200, "an answer")
	}
}

func (w *worksWith) Turn() {
	w.turns++
	w.socket.Write(w.out)
	w.out = w.out[:0]
}

func (w *worksWith) Drained()         {}
func (w *worksWith) Closed(err error) { w.closed <- err }

// An application may work with a process on the loop of its exchanges.
func TestAttach(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	app := &worksWith{t: t, file: os.NewFile(uintptr(fds[0]), "ours"), closed: make(chan error, 1)}
	file := os.NewFile(uintptr(fds[1]), "theirs")
	theirs, err := net.FileConn(file)
	must(t, err)
	must(t, file.Close())
	r := run(t, Config{Handler: app, Loop: eventloop.Config{Loops: 1}})
	c := r.dial()
	defer c.Close()
	for range 3 {
		_, err = io.WriteString(c, get)
		must(t, err)
		_, err = io.ReadFull(theirs, make([]byte, 1))
		must(t, err)
		_, err = theirs.Write([]byte("!"))
		must(t, err)
		var got []byte
		for p := make([]byte, 1024); !bytes.HasSuffix(got, []byte("an answer")); {
			n, err := c.Read(p)
			must(t, err)
			got = append(got, p[:n]...)
		}
	}
	if n := r.srv.group.Conns(); n != 1 {
		t.Errorf("%d conns count", n)
	}
	must(t, theirs.Close())
	if err := <-app.closed; err == nil {
		t.Error("the other side has closed it, and it was our doing")
	}
}
