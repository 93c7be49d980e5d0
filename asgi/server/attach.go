package server

import (
	"io"
	"os"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// Attach implements asgi.Loop.
func (w *worker) Attach(file *os.File, open func(asgi.Socket) asgi.SocketReceiver) error {
	if file == nil {
		return nil
	}
	return w.loop.Attach(file, func(c eventloop.Conn) eventloop.Protocol {
		a := &attached{Conn: c}
		if a.SocketReceiver = open(a); a.SocketReceiver == nil {
			return nil
		}
		return a
	})
}

// attached is a socket that an application has given to the loop: the conn towards the
// application, the application towards the conn.
//
// Loop-owned: call only from its event loop.
type attached struct {
	eventloop.Conn
	asgi.SocketReceiver
	err error // why it was given up; nil if the conn knows better
}

func (a *attached) Pause()  { a.PauseRead() }
func (a *attached) Resume() { a.ResumeRead() }

// EOF ends the socket: who works for an application has no use for half of it.
func (a *attached) EOF() {
	a.err = io.EOF
	a.Conn.Abort()
}

// PeerEnded is not news yet: what was sent before is to be read.
func (a *attached) PeerEnded() {}

func (a *attached) Deadline() {}

// Close and Closed stand in both halves.
func (a *attached) Close() { a.Conn.Close() }

func (a *attached) Closed(err error) {
	if a.err != nil {
		err = a.err
	}
	a.SocketReceiver.Closed(err)
}
