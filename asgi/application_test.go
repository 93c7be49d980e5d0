package asgi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

func TestEventsKeepTheirOrderAndBelongToTheApplication(t *testing.T) {
	const n = 1000 // more than any queue between loop and application holds
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var kept []*asgi.WebSocketReceive
		x := open(converse(t, func(c conversation) error {
			c.accept()
			for range n {
				ev, err := c.receive(c.ctx)
				if err != nil {
					return err
				}
				got := ev.(*asgi.WebSocketReceive)
				kept = append(kept, got)
				reply := message(string(got.Data))
				if err := c.send(c.ctx, reply); err != nil {
					return err
				}
				clear(reply.Data) // an event may be reused when send returns
			}
			return nil
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		for i := range n {
			x.Deliver(incoming(fmt.Sprint(i)))
		}
		if err := x.WaitEnded(); err != nil {
			t.Fatal(err)
		}
		for i, text := range said(x)[1:] {
			if text != fmt.Sprint(i) || string(kept[i].Data) != text {
				t.Fatalf("message %d: sent %q, kept %q", i, text, kept[i].Data)
			}
		}
		if got := len(x.Sent()); got != n+1 {
			t.Errorf("%d events were sent", got)
		}
	})
}

func TestDisconnectIsRepeatable(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var heard []string
		var last *asgi.WebSocketDisconnect
		var ctx context.Context
		x := open(converse(t, func(c conversation) error {
			ctx = c.ctx
			c.accept()
			for range 4 {
				ev, _ := c.receive(c.ctx)
				heard = append(heard, textOf(ev))
				last, _ = ev.(*asgi.WebSocketDisconnect)
			}
			return nil
		}))
		x.connect()
		x.Deliver(incoming("before"), &asgi.WebSocketDisconnect{Code: 3000, Reason: "why"})
		x.WaitEnded()
		want := []string{"before", "websocket.disconnect", "websocket.disconnect", "websocket.disconnect"}
		if !slices.Equal(heard, want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
		if last == nil || last.Code != 3000 || last.Reason != "why" {
			t.Errorf("disconnect is %+v", last)
		}
		if cause := context.Cause(ctx); cause != asgi.ErrDisconnected { // the first cause stays
			t.Errorf("the context ended with %v", cause)
		}
	})
}

func TestCancelledReceiveLosesNothing(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		cancels := make(chan context.CancelFunc, 1)
		var cancelledBefore, cancelledWhile, timedOut error
		x := open(converse(t, func(c conversation) error {
			c.accept()
			ctx, cancel := context.WithCancel(c.ctx)
			cancel()
			_, cancelledBefore = c.receive(ctx)

			ctx, cancel = context.WithCancel(c.ctx)
			cancels <- cancel
			_, cancelledWhile = c.receive(ctx)

			ctx, cancel = context.WithTimeout(c.ctx, time.Millisecond)
			defer cancel()
			_, timedOut = c.receive(ctx)

			c.say("ready")
			for range 2 {
				c.say(c.hear())
			}
			return nil
		}))
		x.connect()
		go func() { (<-cancels)() }()
		waitSaid(x, "ready")
		x.Deliver(incoming("one"), incoming("two"))
		x.WaitEnded()
		if got, want := said(x)[1:], []string{"ready", "one", "two"}; !slices.Equal(got, want) {
			t.Errorf("said %v, want %v", got, want)
		}
		if cancelledBefore != context.Canceled || cancelledWhile != context.Canceled || timedOut != context.DeadlineExceeded {
			t.Errorf("errors are %v, %v, %v", cancelledBefore, cancelledWhile, timedOut)
		}
	})
}

// What is there is returned, even to a receive whose context is done.
func TestReceivePrefersAnEvent(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		gate := make(chan struct{})
		heard := ""
		x := open(converse(t, func(c conversation) error {
			c.accept()
			asgi.Await(c.ctx, func(done func(struct{}, error)) {
				go func() { <-gate; done(struct{}{}, nil) }()
			})
			ctx, cancel := context.WithCancel(c.ctx)
			cancel()
			for ev, err := c.receive(ctx); ; ev, err = c.receive(ctx) {
				if err == nil {
					heard = textOf(ev)
					return nil
				}
				asgi.Sleep(c.ctx, 0) // between loop and application the event may be on its way
			}
		}))
		x.Deliver(&asgi.WebSocketConnect{}, incoming("there"))
		close(gate)
		x.WaitEnded()
		if heard != "there" {
			t.Errorf("heard %q", heard)
		}
	})
}

func TestSendWaitsForTheOutbox(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var late error
		x := open(converse(t, func(c conversation) error {
			c.accept()
			for range 2000 { // more than a relay holds
				c.say("word")
			}
			c.say("end")
			c.hear()
			late = c.send(c.ctx, message("late"))
			return late
		}))
		x.Congest()
		x.Deliver(&asgi.WebSocketConnect{})
		if len(x.Sent()) > 1000 {
			t.Errorf("%d events were sent into a full outbox", len(x.Sent()))
		}
		x.Drain()
		waitSaid(x, "end")
		if got := len(x.Sent()); got != 2002 {
			t.Errorf("%d events were sent", got)
		}
		x.Deliver(&asgi.WebSocketDisconnect{})
		if err := x.WaitEnded(); err != asgi.ErrDisconnected || late != asgi.ErrDisconnected {
			t.Errorf("send after the disconnect: %v", late)
		}
	})
}

func TestSuspendedSendFails(t *testing.T) {
	// fill sends until send does not return by itself.
	fill := func(c conversation, ctx context.Context) (err error) {
		for err == nil {
			err = c.send(ctx, message("word"))
		}
		return err
	}
	t.Run("when the peer goes", func(t *testing.T) {
		eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
			x := open(converse(t, func(c conversation) error {
				c.accept()
				c.hear()
				return fill(c, c.ctx)
			}))
			x.connect()
			x.Congest()
			x.Deliver(incoming("go"))
			x.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
			if err := x.WaitEnded(); err != asgi.ErrDisconnected {
				t.Errorf("send returned %v", err)
			}
		})
	})
	t.Run("when its context is done", func(t *testing.T) {
		eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
			var failure error
			var failed atomic.Bool
			x := open(converse(t, func(c conversation) error {
				c.accept()
				c.hear()
				ctx, cancel := context.WithTimeout(c.ctx, time.Millisecond)
				defer cancel()
				failure = fill(c, ctx)
				failed.Store(true)
				c.say("end")
				return nil
			}))
			x.connect()
			x.Congest()
			x.Deliver(incoming("go"))
			x.waitFor("the timeout", func() bool { return failed.Load() })
			x.Drain()
			x.WaitEnded()
			if failure != context.DeadlineExceeded {
				t.Errorf("send returned %v", failure)
			}
		}, "nested coroutine", "coroutine on a goroutine") // Exchange.Send, between the two, knows no context
	})
}

func TestOrderErrorsReachTheApplication(t *testing.T) {
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var early, twice, after error
		x := open(converse(t, func(c conversation) error {
			early = c.send(c.ctx, message("early"))
			c.accept()
			twice = c.send(c.ctx, &asgi.WebSocketAccept{})
			c.say("fine")
			if err := c.send(c.ctx, &asgi.WebSocketClose{}); err != nil {
				t.Error(err)
			}
			after = c.send(c.ctx, message("after"))
			return nil
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		x.WaitEnded()
		var order *asgi.OrderError
		if !errors.As(early, &order) || order.State != asgi.WebSocketConnecting {
			t.Errorf("send before accept: %v", early)
		}
		if !errors.As(twice, &order) || order.State != asgi.WebSocketOpen {
			t.Errorf("second accept: %v", twice)
		}
		if after != nil {
			t.Errorf("send after completion: %v", after)
		}
		if got, want := said(x), []string{"websocket.accept", "fine", "websocket.close"}; !slices.Equal(got, want) {
			t.Errorf("said %v, want %v", got, want)
		}
	})
}

func TestContext(t *testing.T) {
	type key struct{}
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var before, derivedBefore, after, derivedAfter, cause error
		var value any
		x := open(converse(t, func(c conversation) error {
			derived, cancel := context.WithCancel(context.WithValue(c.ctx, key{}, "value"))
			defer cancel()
			value = derived.Value(key{})
			before, derivedBefore = c.ctx.Err(), derived.Err()
			if _, ok := c.ctx.Deadline(); ok {
				t.Error("the context has a deadline")
			}
			c.accept()
			c.hear()
			<-derived.Done() // closed by the disconnect itself: this blocks nobody
			after, derivedAfter, cause = c.ctx.Err(), derived.Err(), context.Cause(derived)
			return nil
		}))
		x.connect()
		x.Deliver(&asgi.WebSocketDisconnect{})
		x.WaitEnded()
		if value != "value" || before != nil || derivedBefore != nil {
			t.Errorf("while open: value %v, errors %v, %v", value, before, derivedBefore)
		}
		if after != context.Canceled || derivedAfter != context.Canceled || cause != asgi.ErrDisconnected {
			t.Errorf("when over: errors %v, %v, cause %v", after, derivedAfter, cause)
		}
	})
}

func TestDrainReachesTheApplication(t *testing.T) {
	deadline := time.Unix(5, 0)
	eachForm(t, func(t *testing.T, open func(asgi.Application) *probe) {
		var got *asgi.Drain
		x := open(converse(t, func(c conversation) error {
			c.accept()
			c.say("waiting")
			ev, _ := c.receive(c.ctx)
			got, _ = ev.(*asgi.Drain)
			return nil
		}))
		x.Deliver(&asgi.WebSocketConnect{})
		waitSaid(x, "waiting")
		x.Deliver(&asgi.Drain{Deadline: deadline})
		x.WaitEnded()
		if got == nil || !got.Deadline.Equal(deadline) {
			t.Errorf("received %v", got)
		}
	})
}

func TestLifespan(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			var heard []string
			gate := make(chan struct{})
			x := asgitest.New(t, f.make(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				if err := send(ctx, &asgi.LifespanStartupComplete{}); err != nil {
					return err
				}
				asgi.Await(ctx, func(done func(struct{}, error)) {
					go func() { <-gate; done(struct{}{}, nil) }()
				})
				for range 2 { // shutdown must not replace a startup that waits
					ev, err := receive(ctx)
					if err != nil {
						return err
					}
					heard = append(heard, ev.EventType())
				}
				return send(ctx, &asgi.LifespanShutdownComplete{})
			}), asgitest.LifespanScope())
			x.WaitSent(1)
			x.Deliver(&asgi.LifespanStartup{}, &asgi.LifespanShutdown{})
			close(gate)
			if err := x.WaitEnded(); err != nil {
				t.Error(err)
			}
			if want := []string{"lifespan.startup", "lifespan.shutdown"}; !slices.Equal(heard, want) {
				t.Errorf("heard %v, want %v", heard, want)
			}
			if x.SendState() != asgi.LifespanComplete {
				t.Error(x.SendState())
			}
		})
	}
}
