package hubtest

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// Loop is a loop whose tasks run when the test says so, or on a goroutine of its
// own. The zero Loop is ready.
//
// Safe for concurrent use, but one goroutine at a time runs tasks.
type Loop struct {
	mu      sync.Mutex
	tasks   []func()
	stopped bool
	more    chan struct{} // holds a token while there may be tasks; nil without a goroutine
}

// Post implements [asgi.Loop].
func (l *Loop) Post(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.tasks = append(l.tasks, fn)
	if l.more != nil {
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
	return true
}

// Attach implements [asgi.Loop]: it serves no sockets.
func (l *Loop) Attach(file *os.File, _ func(asgi.Socket) asgi.SocketReceiver) error {
	_ = file.Close()
	return errors.ErrUnsupported
}

// Step runs one task, and reports whether there was one.
func (l *Loop) Step() bool {
	l.mu.Lock()
	if len(l.tasks) == 0 {
		l.mu.Unlock()
		return false
	}
	fn := l.tasks[0]
	l.tasks[0] = nil
	if l.tasks = l.tasks[1:]; len(l.tasks) == 0 {
		l.tasks = nil
	}
	l.mu.Unlock()
	fn()
	return true
}

// Run runs tasks until there are none, and returns how many there were.
func (l *Loop) Run() (tasks int) {
	for l.Step() {
		tasks++
	}
	return tasks
}

// Stop drops what is posted, and refuses more.
func (l *Loop) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks, l.stopped = nil, true
}

// Go runs the tasks on a goroutine until the test is over, which waits for it.
func (l *Loop) Go(t testing.TB) {
	l.mu.Lock()
	l.more = make(chan struct{}, 1)
	l.more <- struct{}{}
	l.mu.Unlock()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-l.more:
				l.Run()
			}
		}
	}()
	t.Cleanup(func() {
		l.Stop()
		close(stop)
		<-stopped
	})
}

// Do runs fn on the loop's goroutine, and waits for it.
func (l *Loop) Do(fn func()) {
	done := make(chan struct{})
	if l.Post(func() { defer close(done); fn() }) {
		<-done
	}
}

// Exchange returns an exchange of the loop. It is good for nothing but to connect
// a client to a hub, and to be ended.
func (l *Loop) Exchange() *Exchange { return &Exchange{loop: l} }

// Exchange is what Loop.Exchange returns.
type Exchange struct {
	asgi.Exchange
	loop  *Loop
	Ended []error // what End was called with
}

// Loop is what [asgi.LoopOf] asks for.
func (x *Exchange) Loop() asgi.Loop { return x.loop }

// Post implements [asgi.Exchange].
func (x *Exchange) Post(fn func()) bool { return x.loop.Post(fn) }

// Congested implements [asgi.Exchange]: never.
func (x *Exchange) Congested() bool { return false }

// Reclaim has nothing to do: what was sent is copied at once.
func (x *Exchange) Reclaim() {}

// Keep returns a copy.
func (x *Exchange) Keep(p []byte) []byte { return append([]byte(nil), p...) }

// Recycle leaves p to the collector.
func (x *Exchange) Recycle(p []byte) {}

// End implements [asgi.Exchange].
func (x *Exchange) End(err error) { x.Ended = append(x.Ended, err) }
