package asgi_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

func TestGoroutineIsBounded(t *testing.T) {
	asgitest.CheckGoroutines(t)
	gate := make(chan struct{})
	heard := 0
	x := asgitest.New(t, asgi.Goroutine(converse(t, func(c conversation) error {
		c.accept()
		<-gate
		for c.hear() != "end" {
			heard++
		}
		return nil
	}), nil), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.WaitSent(1)
	for range 1000 {
		x.Deliver(incoming("word"))
	}
	x.Deliver(incoming("end"))
	if ahead := 1001 - x.Waiting(); !x.Paused() || ahead > 256 {
		t.Errorf("paused %v with %d events ahead", x.Paused(), ahead)
	}
	close(gate)
	if err := x.WaitEnded(); err != nil || heard != 1000 {
		t.Errorf("heard %d messages, ended with %v", heard, err)
	}
}

// receive and send may be called from any goroutine; every event is received
// once and sent once.
func TestGoroutineUsedByMany(t *testing.T) {
	asgitest.CheckGoroutines(t)
	const n, workers = 400, 4
	x := asgitest.New(t, asgi.Goroutine(converse(t, func(c conversation) error {
		c.accept()
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for {
					ev, err := c.receive(c.ctx)
					if err != nil || ev.EventType() == "websocket.disconnect" {
						return
					}
					c.say(textOf(ev))
				}
			})
		}
		group.Wait()
		return nil
	}), nil), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.WaitSent(1)
	for i := range n {
		x.Deliver(incoming(string(rune('a' + i%26))))
	}
	x.WaitSent(n + 1)
	x.Deliver(&asgi.WebSocketDisconnect{})
	if err := x.WaitEnded(); err != nil {
		t.Error(err)
	}
	counts := map[string]int{}
	for _, ev := range x.Sent()[1:] {
		counts[textOf(ev)]++
	}
	for i := range 26 {
		want := n / 26
		if i < n%26 {
			want++
		}
		if letter := string(rune('a' + i)); counts[letter] != want {
			t.Errorf("%q was sent %d times, want %d", letter, counts[letter], want)
		}
	}
}

// A goroutine that outlives its application is not left waiting.
func TestGoroutineLeavesNoReceiverBehind(t *testing.T) {
	asgitest.CheckGoroutines(t)
	heard := make(chan string, 1)
	started := make(chan struct{})
	x := asgitest.New(t, asgi.Goroutine(converse(t, func(c conversation) error {
		go func() {
			close(started)
			ev, _ := c.receive(context.WithoutCancel(c.ctx))
			heard <- textOf(ev)
		}()
		<-started
		return nil
	}), nil), asgitest.WebSocketScope("/"))
	x.WaitEnded()
	if got := <-heard; got != "websocket.disconnect" {
		t.Errorf("heard %s", got)
	}
}

func TestGoroutineRefusedTask(t *testing.T) {
	full := errors.New("full")
	x := asgitest.New(t, asgi.Goroutine(converse(t, func(conversation) error {
		t.Error("the application runs")
		return nil
	}), func(func()) error { return full }), asgitest.WebSocketScope("/"))
	if err := x.WaitEnded(); err != full {
		t.Errorf("ended with %v", err)
	}
}

// What the engine refuses is found out later: by a later send, else as the
// exchange ends.
func TestGoroutineLearnsOfALateRefusal(t *testing.T) {
	asgitest.CheckGoroutines(t)
	bad := errors.New("bad header")
	refuse := func(h asgi.Handler) asgi.Handler {
		return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			return h.Open(scope, &refusing{Exchange: x, err: bad})
		})
	}
	var later error
	app := func(again bool) asgi.Application {
		return converse(t, func(c conversation) error {
			c.say("refused")
			if again {
				for later == nil {
					later = c.send(c.ctx, message("later"))
				}
			}
			return nil
		})
	}
	for _, again := range []bool{true, false} {
		x := asgitest.New(t, refuse(asgi.Goroutine(withAccept(app(again)), nil)), asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{})
		if err := x.WaitEnded(); err != bad {
			t.Errorf("ended with %v", err)
		}
	}
	if later != bad {
		t.Errorf("a later send returned %v", later)
	}
}

// refusing is an engine that finds fault with every message.
type refusing struct {
	asgi.Exchange
	err error
}

func (r *refusing) Send(ev asgi.SendEvent) error {
	if _, ok := ev.(*asgi.WebSocketSend); ok {
		return r.err
	}
	return r.Exchange.Send(ev)
}

func withAccept(app asgi.Application) asgi.Application {
	return func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if err := send(ctx, &asgi.WebSocketAccept{}); err != nil {
			return err
		}
		return app(ctx, scope, receive, send)
	}
}

// The application may close its file when send has returned, in every form.
func TestZeroCopySendIsDoneWhenItReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := func(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
		if err := send(ctx, &asgi.HTTPResponseStart{Status: 200}); err != nil {
			return err
		}
		for _, part := range []struct{ offset, count int64 }{{2, 3}, {-1, 2}, {8, -1}} {
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			last := part.count < 0
			err = send(ctx, &asgi.HTTPResponseZeroCopySend{File: file, Offset: part.offset, Count: part.count, MoreBody: !last})
			file.Close()
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			r := asgitest.Get(t, f.make(app), "/")
			if string(r.Body) != "234"+"01"+"89" || !r.Complete {
				t.Errorf("body is %q, complete %v", r.Body, r.Complete)
			}
		})
	}
}

// What the loop finds as it hands an event over holds the next send back.
func TestGoroutineSendSeesCongestion(t *testing.T) {
	asgitest.CheckGoroutines(t)
	x := asgitest.New(t, asgi.Goroutine(converse(t, func(c conversation) error {
		c.accept()
		c.hear()
		c.say("first")
		c.hear()
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		return c.send(ctx, message("second"))
	}), nil), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.WaitSent(1)
	x.Congest()
	x.Deliver(incoming("go"))
	x.WaitSent(2)
	x.Deliver(incoming("again"))
	if err := x.WaitEnded(); err != context.Canceled {
		t.Errorf("a send into a full outbox ended with %v", err)
	}
}
