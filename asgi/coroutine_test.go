package asgi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// An application starts before its request's body has come, and nothing is
// delivered before it asks: RFC 9110 section 10.1.1 lets a client wait for that.
func TestCoroutineReadsWhenItReceives(t *testing.T) {
	step := ""
	var proceed func(struct{}, error)
	x := asgitest.New(t, asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		step = "started"
		asgi.Await(ctx, func(done func(struct{}, error)) { proceed = done })
		step = "receives"
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		step = string(ev.(*asgi.HTTPRequest).Body)
		return nil
	}), asgitest.HTTPScope("POST", "/"))
	if step != "started" || !x.Paused() {
		t.Fatalf("after Open: %q, paused %v", step, x.Paused())
	}
	proceed(struct{}{}, nil)
	x.Run()
	if step != "receives" || x.Paused() {
		t.Fatalf("in receive: %q, paused %v", step, x.Paused())
	}
	x.Deliver(&asgi.HTTPRequest{Body: []byte("body")})
	if step != "body" || !x.Ended() || x.Err() != nil {
		t.Errorf("after the body: %q, ended %v with %v", step, x.Ended(), x.Err())
	}
}

func TestCoroutineIsAtMostOneEventAhead(t *testing.T) {
	var heard []string
	var proceed func(struct{}, error)
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		for range 2 {
			heard = append(heard, c.hear())
			asgi.Await(c.ctx, func(done func(struct{}, error)) { proceed = done })
		}
		for range 4 {
			heard = append(heard, c.hear())
		}
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	for _, text := range []string{"0", "1", "2", "3", "4", "5"} {
		x.Deliver(incoming(text))
	}
	if !slices.Equal(heard, []string{"0"}) || x.Waiting() != 4 || !x.Paused() {
		t.Fatalf("heard %v, %d wait, paused %v", heard, x.Waiting(), x.Paused())
	}
	proceed(struct{}{}, nil)
	x.Run()
	if !slices.Equal(heard, []string{"0", "1"}) || x.Waiting() < 3 {
		t.Fatalf("heard %v, %d wait", heard, x.Waiting())
	}
	proceed(struct{}{}, nil)
	x.Run()
	if want := []string{"0", "1", "2", "3", "4", "5"}; !slices.Equal(heard, want) || !x.Ended() {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

// What was delivered before the disconnect is received before it; a drain comes
// behind data.
func TestCoroutineEventOrder(t *testing.T) {
	var heard []string
	var proceed func(struct{}, error)
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		asgi.Await(context.WithoutCancel(c.ctx), func(done func(struct{}, error)) { proceed = done })
		for range 4 {
			heard = append(heard, c.hear())
		}
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.Drain{}, incoming("data"), &asgi.WebSocketDisconnect{})
	proceed(struct{}{}, nil)
	x.Run()
	want := []string{"data", "gale.drain", "websocket.disconnect", "websocket.disconnect"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

// A send that fills the outbox goes through; the next one suspends, whatever
// else happens, until the outbox has drained.
func TestCoroutineSendIgnoresOtherWakeUps(t *testing.T) {
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		c.hear()
		c.say("one")
		c.say("two")
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.Congest()
	x.Deliver(incoming("go"), incoming("more"), &asgi.Drain{})
	x.Run()
	if len(x.Sent()) != 1 {
		t.Fatalf("sent %d events into a full outbox", len(x.Sent()))
	}
	x.Drain()
	if len(x.Sent()) != 3 || !x.Ended() {
		t.Errorf("sent %d events, ended %v", len(x.Sent()), x.Ended())
	}
}

func TestCoroutineWritableWakesOnlySend(t *testing.T) {
	woken := 0
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		c.hear()
		woken++
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.Congest()
	x.Drain()
	if woken != 0 || x.Ended() {
		t.Error("a Writable event ended a receive")
	}
}

func TestCoroutineRefusesForeignGoroutines(t *testing.T) {
	asgitest.CheckGoroutines(t)
	var received, sent error
	var awaited int
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		asgi.Await(c.ctx, func(done func(struct{}, error)) {
			go func() {
				_, received = c.receive(c.ctx)
				sent = c.send(c.ctx, message("foreign"))
				awaited, _ = asgi.Await(c.ctx, func(done func(int, error)) { done(1, nil) }) // blocks this goroutine
				done(struct{}{}, asgi.Sleep(c.ctx, time.Microsecond))
			}()
		})
		c.say("own")
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	if err := x.WaitEnded(); err != nil {
		t.Fatal(err)
	}
	if received != asgi.ErrForeignGoroutine || sent != asgi.ErrForeignGoroutine || awaited != 1 {
		t.Errorf("a foreign goroutine got %v, %v, %d", received, sent, awaited)
	}
	if len(x.Sent()) != 2 {
		t.Errorf("sent %d events", len(x.Sent()))
	}
}

// The foreign goroutine is found out while the coroutine runs, too.
func TestCoroutineRefusesForeignGoroutinesWhileItRuns(t *testing.T) {
	var received, sent error
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		called := make(chan struct{})
		go func() {
			defer close(called)
			_, received = c.receive(c.ctx)
			sent = c.send(c.ctx, message("foreign"))
		}()
		<-called
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	if received != asgi.ErrForeignGoroutine || sent != asgi.ErrForeignGoroutine || len(x.Sent()) != 1 {
		t.Errorf("a foreign goroutine got %v, %v; sent %d events", received, sent, len(x.Sent()))
	}
}

// receive and send kept beyond their call belong to nobody.
func TestCoroutineCallsAfterItsTurn(t *testing.T) {
	var kept conversation
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		kept = c
		c.accept()
		c.hear()
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	if _, err := kept.receive(kept.ctx); err != asgi.ErrForeignGoroutine {
		t.Errorf("receive from the loop: %v", err)
	}
	if err := kept.send(kept.ctx, message("")); err != asgi.ErrForeignGoroutine {
		t.Errorf("send from the loop: %v", err)
	}
}

// A coroutine that never gets to wait would hold its loop.
func TestCoroutineThatSpinsIsEnded(t *testing.T) {
	spins := map[string]func(c conversation, done context.Context){
		"receive":                 func(c conversation, _ context.Context) { c.receive(c.ctx) },
		"send":                    func(c conversation, _ context.Context) { c.send(c.ctx, message("")) },
		"sleep":                   func(c conversation, _ context.Context) { asgi.Sleep(c.ctx, time.Hour) },
		"sleep without cancel":    func(c conversation, _ context.Context) { asgi.Sleep(context.WithoutCancel(c.ctx), time.Hour) },
		"await":                   func(c conversation, _ context.Context) { asgi.Await(c.ctx, func(func(int, error)) {}) },
		"receive, done context":   func(c conversation, done context.Context) { c.receive(done) },
		"await with done context": func(c conversation, done context.Context) { asgi.Await(done, func(func(int, error)) {}) },
	}
	for name, spin := range spins {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
				c.accept()
				c.hear()
				done, cancel := context.WithCancel(c.ctx)
				cancel()
				for {
					spin(c, done)
				}
			})), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			if strings.Contains(name, "done context") {
				x.Deliver(incoming("spin while the peer is there"))
			} else {
				x.Deliver(&asgi.WebSocketDisconnect{})
			}
			var failure *asgi.PanicError
			if !x.Ended() || !errors.As(x.Err(), &failure) {
				t.Errorf("ended %v with %v", x.Ended(), x.Err())
			}
		})
	}
}

// An application may look at the disconnect often, as long as it waits between.
func TestCoroutineThatWaitsIsNotEnded(t *testing.T) {
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		for range 3000 {
			c.hear()
			asgi.Await(context.WithoutCancel(c.ctx), func(done func(int, error)) { done(0, nil) })
		}
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketDisconnect{})
	if err := x.WaitEnded(); err != nil {
		t.Error(err)
	}
}

func TestCoroutineSleepsByTheLoopsClock(t *testing.T) {
	woke := false
	x := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		c.accept()
		asgi.Sleep(c.ctx, time.Hour)
		woke = true
		return nil
	})), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, incoming("does not wake"))
	x.Advance(time.Hour - 1)
	if woke {
		t.Fatal("woke before its time")
	}
	x.Advance(1)
	if !woke || !x.Ended() {
		t.Error("did not wake")
	}
}

// Two coroutines take turns on one goroutine's time: contexts do not mix.
func TestAwaitWithAnotherApplicationsContext(t *testing.T) {
	var other context.Context
	first := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		other = c.ctx
		c.accept()
		c.hear()
		return nil
	})), asgitest.WebSocketScope("/"))
	first.Deliver(&asgi.WebSocketConnect{})
	got := 0
	second := asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
		got, _ = asgi.Await(other, func(done func(int, error)) { done(3, nil) }) // blocks, does not suspend
		return nil
	})), asgitest.WebSocketScope("/"))
	if got != 3 || !second.Ended() {
		t.Errorf("await returned %d", got)
	}
}

// A peer that takes everything at once must not let one coroutine keep the loop.
func TestCoroutineSharesTheLoopWhileItSends(t *testing.T) {
	for name, size := range map[string]int{"large": 16 << 10, "small": 1} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			const n = 10_000
			most, last, sent, posted := 0, 0, 0, 0
			var x *asgitest.Exchange
			var turn func()
			turn = func() {
				posted++
				most, last = max(most, sent-last), sent
				if sent < n {
					x.Post(turn)
				}
			}
			x = asgitest.New(t, asgi.Coroutine(converse(t, func(c conversation) error {
				c.accept()
				x.Post(turn)
				ev := &asgi.WebSocketSend{Kind: asgi.Binary, Data: make([]byte, size)}
				for range n {
					if err := c.send(c.ctx, ev); err != nil {
						return err
					}
					sent++
				}
				return nil
			})), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			if err := x.WaitEnded(); err != nil || sent != n {
				t.Errorf("sent %d events, ended with %v", sent, err)
			}
			if most > 1100 || posted < 5 {
				t.Errorf("%d events in one turn, %d turns", most, posted)
			}
		})
	}
}
