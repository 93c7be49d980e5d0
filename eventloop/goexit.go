package eventloop

import (
	"errors"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// errGoexit is the value of the PanicError in the log when a callback calls
// runtime.Goexit, as the FailNow of a test does in code under test.
var errGoexit = errors.New("eventloop: a callback called runtime.Goexit")

// resume goes on, on a new goroutine, after a callback has ended the one before in
// the middle of a turn. What the poller has reported and nobody has seen is looked
// for at every conn.
func (l *Loop) resume() {
	l.exited = false
	l.beginTurn()
	if s := l.current; s != nil {
		l.current = nil
		s.touch()
	}
	l.armed = never
	l.table.each(l, func(s *socket) {
		s.note(kernel.Readable | kernel.ReadToEnd | kernel.Hangup | kernel.Writable)
		s.queue()
	})
	l.onWake()
}
