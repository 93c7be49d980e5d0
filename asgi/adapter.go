package asgi

import (
	"context"
	"sync"
	"time"
)

// ApplicationOf makes an Application of a Handler, so that it can stand behind
// middleware written in coroutine form. The handler runs on the application's
// goroutine; its Send suspends while the outbox is above its high watermark.
func ApplicationOf(h Handler) Application {
	return func(ctx context.Context, scope *Scope, receive Receive, send Send) error {
		a := &adapted{ctx: ctx, next: send, outer: coroutineOf(ctx)}
		defer a.close()
		r := h.Open(scope, a)
		for {
			a.runPosted()
			if a.ended {
				return a.result
			}
			ev, err := a.receive(receive)
			switch {
			case err != nil && ctx.Err() != nil:
				return err
			case err != nil:
				continue // woken by Post
			}
			if r != nil {
				r.Receive(ev)
			}
			switch ev.(type) {
			case *HTTPDisconnect, *WebSocketDisconnect:
				a.runPosted()
				return a.result
			}
		}
	}
}

// adapted is the Exchange of a handler that runs as an application.
type adapted struct {
	ctx    context.Context
	next   Send
	outer  *coroutine // what the application runs on; nil for a goroutine
	paused bool
	ended  bool
	result error

	mu     sync.Mutex
	posted []func()
	wake   context.CancelFunc // interrupts the receive under way; nil when there is none
	closed bool
}

// receive waits for an event or a post; while the handler has paused, for a
// post only.
func (a *adapted) receive(receive Receive) (ReceiveEvent, error) {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	a.mu.Lock()
	waiting := len(a.posted) > 0
	a.wake = cancel
	a.mu.Unlock()
	if waiting {
		cancel()
	}
	if a.paused {
		return Await(ctx, func(func(ReceiveEvent, error)) {})
	}
	return receive(ctx)
}

func (a *adapted) runPosted() {
	a.mu.Lock()
	posted := a.posted
	a.posted, a.wake = nil, nil
	a.mu.Unlock()
	for _, fn := range posted {
		fn()
	}
}

func (a *adapted) Send(ev SendEvent) error { return a.next(a.ctx, ev) }
func (a *adapted) Buffered() int           { return 0 }
func (a *adapted) Congested() bool         { return false }
func (a *adapted) Pause()                  { a.paused = true }
func (a *adapted) Resume()                 { a.paused = false }

func (a *adapted) Adopt() {
	if a.outer != nil {
		a.outer.x.Adopt()
	}
}

func (a *adapted) Owned() bool { return a.outer == nil || a.outer.x.Owned() }

func (a *adapted) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

func (a *adapted) End(err error) {
	if !a.ended {
		a.ended, a.result = true, err
	}
}

func (a *adapted) Post(fn func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.posted = append(a.posted, fn)
	if a.wake != nil {
		a.wake()
	}
	return true
}

func (a *adapted) AfterFunc(d time.Duration, fn func()) Timer {
	return time.AfterFunc(d, func() { a.Post(fn) })
}
