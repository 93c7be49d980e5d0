package asgi

import (
	"context"
	"sync"
)

// Goroutine makes a Handler of an application that may block. It runs on one
// task of run for the whole of its exchange; the loop only passes messages.
// receive and send may be called from any goroutine. What is wrong with an
// event beyond its order is reported by a later send, or as the exchange ends.
func Goroutine(app Application, run Runner) Handler {
	return HandlerFunc(func(scope *Scope, x Exchange) Receiver {
		g := &threaded{}
		g.relay.x, g.relay.order = x, NewOrder(scope.Type)
		g.inbox.x = x
		g.ctx.owner = g
		g.arrived.L = &g.waiting
		g.inbox.shutFor(scope)
		err := run.start(func() {
			guard(func() { g.finish(scope.Type, app(&g.ctx, scope, g.receive, g.send)) },
				func(err error) { g.finish(scope.Type, err) })
		})
		if err != nil {
			g.finish(scope.Type, err)
		}
		return g
	})
}

// threaded is an application on a goroutine of its own.
type threaded struct {
	relay
	inbox inbox
	ctx   appContext

	waiting   sync.Mutex // guards what follows
	arrived   sync.Cond
	gone      ReceiveEvent
	answering bool   // the application has taken a message and not asked for the next event
	caughtUp  func() // called when it has done with what was delivered; nil: nobody waits
	leaving   bool   // it was called, and the disconnect follows
}

// finish ends the exchange, and whatever other goroutines of the application
// wait for.
func (g *threaded) finish(t ScopeType, err error) {
	g.ctx.end(context.Canceled)
	g.end(err)
	g.waiting.Lock()
	defer g.waiting.Unlock()
	g.catchUp()
	if g.gone == nil {
		g.gone = disconnectOf(t)
	}
	g.arrived.Broadcast()
}

// Abandon cancels an application that gets no disconnect, as its loop is about
// to stop.
func (g *threaded) Abandon() {
	g.ctx.end(context.Canceled)
	g.waiting.Lock()
	defer g.waiting.Unlock()
	g.arrived.Broadcast()
}

// Receive takes an event from the engine, on the loop.
func (g *threaded) Receive(ev ReceiveEvent) {
	g.observe(ev)
	g.waiting.Lock()
	defer g.waiting.Unlock()
	switch ev.(type) {
	case *Writable:
		return
	case *HTTPDisconnect, *WebSocketDisconnect:
		g.gone = CloneReceive(ev)
		g.ctx.end(ErrDisconnected)
	default:
		g.inbox.put(item{ev: CloneReceive(ev)})
	}
	g.arrived.Broadcast()
}

func (g *threaded) receive(ctx context.Context) (ReceiveEvent, error) {
	g.waiting.Lock()
	defer g.waiting.Unlock()
	if ctx != context.Context(&g.ctx) && ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() {
			g.waiting.Lock()
			defer g.waiting.Unlock()
			g.arrived.Broadcast()
		})
		defer stop()
	}
	g.answering = false
	for {
		if it, ok := g.inbox.take(); ok {
			g.answering = it.data()
			return it.ev, nil
		}
		if g.gone != nil {
			return g.gone, nil
		}
		g.catchUp()
		if err := ctx.Err(); err != nil && !g.leaving {
			return nil, err
		}
		g.inbox.open()
		g.arrived.Wait()
	}
}
