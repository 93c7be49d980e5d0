package asgitest

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Exchange is a conversation in memory. The application sees it as an
// [asgi.Exchange]; the test drives it with Deliver, Run, Wait, Advance, Congest
// and Drain, each of which goes on until the application has nothing more to do
// on the loop.
//
// Loop-owned: the loop is the goroutine that called New; Post and Owned may be
// called from any.
type Exchange struct {
	tb       testing.TB
	scope    *asgi.Scope
	receiver asgi.Receiver
	order    asgi.Order
	loop     uint64        // id of the goroutine that is the loop
	owner    atomic.Uint64 // id of the goroutine that owns the exchange now

	sent     []asgi.SendEvent
	response Response
	pending  []asgi.ReceiveEvent // held back while the application has paused
	paused   bool
	buffered int
	filled   bool              // by Congest
	last     asgi.ReceiveEvent // the disconnect that is due
	gone     bool              // the disconnect was delivered
	ended    bool
	result   error
	inside   bool // a call of the application is under way

	clock    clock
	outlives map[interface{ Abandon() }]struct{}

	mailbox struct {
		sync.Mutex
		posted  []func()
		stopped bool
	}
	arrival chan struct{} // holds a token while the mailbox has something new
}

var _ asgi.Exchange = (*Exchange)(nil)

// New opens an exchange about scope with h. When the test is over and the
// application has not ended, it gets the disconnect and the loop stops.
func New(tb testing.TB, h asgi.Handler, scope *asgi.Scope) *Exchange {
	tb.Helper()
	x := &Exchange{
		tb:      tb,
		scope:   scope,
		order:   asgi.NewOrder(scope.Type),
		loop:    goroutineID(),
		arrival: make(chan struct{}, 1),
	}
	x.owner.Store(x.loop)
	tb.Cleanup(x.close)
	x.enter(func() { x.receiver = h.Open(scope, x) })
	x.turn()
	return x
}

// Send implements [asgi.Exchange]. An event out of order is an error of the
// application, not of the test: it is returned.
func (x *Exchange) Send(ev asgi.SendEvent) error {
	if !x.Owned() {
		return asgi.ErrForeignGoroutine
	}
	switch {
	case asgi.IsNil(ev):
		return asgi.ErrNilEvent
	case x.order.Complete() || x.ended:
		return nil
	case x.gone:
		return asgi.ErrDisconnected
	}
	before := x.order.SendState()
	if err := x.order.Send(ev); err != nil {
		return err
	}
	x.sent = append(x.sent, asgi.CloneSend(ev))
	if x.filled {
		x.buffered += asgi.Size(ev)
	}
	x.response.add(x.tb, ev)
	if x.order.Complete() {
		x.completed(before)
	}
	return nil
}

// completed notes the disconnect that follows a complete response.
func (x *Exchange) completed(before asgi.State) {
	var last asgi.ReceiveEvent
	switch {
	case x.scope.Type == asgi.ScopeHTTP:
		last = &asgi.HTTPDisconnect{}
	case before == asgi.WebSocketConnecting || before == asgi.WebSocketDenying:
		last = &asgi.WebSocketDisconnect{Code: 1006}
	default:
		return // a close frame is answered by the peer; lifespan has no disconnect
	}
	x.last = last
}

// Buffered implements [asgi.Exchange]: the payload bytes sent since Congest.
func (x *Exchange) Buffered() int {
	x.check("Buffered")
	return x.buffered
}

// Congested implements [asgi.Exchange].
func (x *Exchange) Congested() bool {
	x.check("Congested")
	return x.filled
}

// Reclaim implements [asgi.Exchange]: what was sent is copied at once.
func (x *Exchange) Reclaim() { x.check("Reclaim") }

// Keep implements [asgi.Exchange].
func (x *Exchange) Keep(p []byte) []byte {
	x.check("Keep")
	return slices.Clone(p)
}

// Recycle implements [asgi.Exchange]. It overwrites p, so that who still uses it
// shows.
func (x *Exchange) Recycle(p []byte) {
	x.check("Recycle")
	for i := range p {
		p[i] = 0xDB
	}
}

// Pause implements [asgi.Exchange].
func (x *Exchange) Pause() {
	x.check("Pause")
	x.paused = true
}

// Resume implements [asgi.Exchange].
func (x *Exchange) Resume() {
	x.check("Resume")
	x.paused = false
}

// End implements [asgi.Exchange].
func (x *Exchange) End(err error) {
	x.check("End")
	x.end(err)
}

func (x *Exchange) end(err error) {
	if x.ended {
		return
	}
	x.ended, x.result = true, err
	x.pending = nil
	x.clock.stop()
}

// Post implements [asgi.Exchange].
func (x *Exchange) Post(fn func()) bool {
	x.mailbox.Lock()
	defer x.mailbox.Unlock()
	if x.mailbox.stopped {
		return false
	}
	x.mailbox.posted = append(x.mailbox.posted, fn)
	select {
	case x.arrival <- struct{}{}:
	default:
	}
	return true
}

// AfterFunc implements [asgi.Exchange] on the exchange's own clock, which only
// Advance moves.
func (x *Exchange) AfterFunc(d time.Duration, fn func()) asgi.Timer {
	x.check("AfterFunc")
	if x.ended {
		return &timer{}
	}
	return x.clock.add(d, fn)
}

// Outlive is what engines offer to code that waits on the loop when the exchange
// is over: it is abandoned as the loop stops. It is false if that has stopped.
func (x *Exchange) Outlive(a interface{ Abandon() }) bool {
	x.check("Outlive")
	x.mailbox.Lock()
	defer x.mailbox.Unlock()
	if x.mailbox.stopped {
		return false
	}
	if x.outlives == nil {
		x.outlives = map[interface{ Abandon() }]struct{}{}
	}
	x.outlives[a] = struct{}{}
	return true
}

// Forget ends Outlive.
func (x *Exchange) Forget(a interface{ Abandon() }) {
	x.check("Forget")
	delete(x.outlives, a)
}

// Adopt implements [asgi.Exchange].
func (x *Exchange) Adopt() { x.owner.Store(goroutineID()) }

// Owned implements [asgi.Exchange].
func (x *Exchange) Owned() bool { return x.owner.Load() == goroutineID() }

func (x *Exchange) check(method string) {
	if !x.Owned() {
		x.tb.Errorf("asgitest: Exchange.%s was called from a goroutine that does not own the exchange", method)
	}
}

// enter runs code of the application on the loop; a panic ends the exchange.
func (x *Exchange) enter(fn func()) {
	if x.inside {
		x.tb.Errorf("asgitest: a test's method was called by the application")
		return
	}
	x.inside = true
	x.owner.Store(x.loop)
	defer func() {
		x.inside = false
		if v := recover(); v != nil {
			x.end(&asgi.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	fn()
}

func (x *Exchange) String() string {
	return fmt.Sprintf("%s exchange: %s, %s", x.scope.Type, x.order.SendState(), x.order.ReceiveState())
}
