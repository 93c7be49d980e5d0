package asgi_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

// handlerOf makes a Handler of a function that gets every event.
func handlerOf(receive func(x asgi.Exchange, ev asgi.ReceiveEvent)) asgi.Handler {
	return asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { receive(x, ev) })
	})
}

func echo(x asgi.Exchange, ev asgi.ReceiveEvent) {
	switch e := ev.(type) {
	case *asgi.WebSocketConnect:
		x.Send(&asgi.WebSocketAccept{})
	case *asgi.WebSocketReceive:
		x.Send(&asgi.WebSocketSend{Kind: e.Kind, Data: e.Data})
	case *asgi.WebSocketDisconnect:
		x.End(nil)
	}
}

func TestSerialKeepsOrderOneAtATime(t *testing.T) {
	asgitest.CheckGoroutines(t)
	const n = 1000
	var inside, tasks atomic.Int32
	h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if inside.Add(1) != 1 {
			t.Error("two events are handled at once")
		}
		runtime.Gosched()
		echo(x, ev)
		inside.Add(-1)
	})
	x := asgitest.New(t, asgi.Serial(h, func(task func()) error {
		tasks.Add(1)
		go func() { task(); tasks.Add(-1) }()
		return nil
	}), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	for i := range n {
		x.Deliver(incoming(fmt.Sprint(i)))
	}
	for i, ev := range x.WaitSent(n + 1)[1:] {
		if textOf(ev) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, textOf(ev))
		}
	}
	x.Wait("an idle exchange without a task", func() bool {
		runtime.Gosched()
		x.Post(func() {})
		return tasks.Load() == 0
	})
	x.Deliver(&asgi.WebSocketDisconnect{})
	if err := x.WaitEnded(); err != nil {
		t.Error(err)
	}
}

// A handler that does not keep up pauses the reading, at either bound.
func TestSerialIsBounded(t *testing.T) {
	for name, test := range map[string]struct{ size, most int }{
		"events": {1, 256},
		"bytes":  {16 << 10, 5},
	} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			gate := make(chan struct{})
			handled := 0
			h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				<-gate
				handled++
			})
			x := asgitest.New(t, asgi.Serial(h, nil), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{})
			const n = 300
			for range n {
				x.Deliver(&asgi.WebSocketReceive{Data: make([]byte, test.size)})
			}
			if ahead := n - x.Waiting(); !x.Paused() || ahead > test.most {
				t.Errorf("paused %v with %d events ahead, at most %d are allowed", x.Paused(), ahead, test.most)
			}
			close(gate)
			x.Wait("all events", func() bool { return !x.Paused() && x.Waiting() == 0 })
			x.Deliver(&asgi.WebSocketDisconnect{})
		})
	}
}

// The handler's own pause holds back what waits in the mailbox as well, but no
// other event.
func TestSerialPause(t *testing.T) {
	asgitest.CheckGoroutines(t)
	var mu sync.Mutex
	var heard []string
	var app asgi.Exchange
	h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		mu.Lock()
		defer mu.Unlock()
		app = x
		heard = append(heard, textOf(ev))
		if textOf(ev) == "pause" {
			x.Pause()
		}
	})
	// Tasks run when the test says so: everything is in the mailbox by then.
	var tasks []func()
	x := asgitest.New(t, asgi.Serial(h, func(task func()) error {
		tasks = append(tasks, task)
		return nil
	}), asgitest.WebSocketScope("/"))
	run := func() {
		for len(tasks) > 0 {
			task := tasks[0]
			tasks = tasks[1:]
			task()
		}
	}
	x.Deliver(&asgi.WebSocketConnect{}, incoming("pause"), incoming("one"), &asgi.Drain{}, incoming("two"))
	run()
	want := []string{"websocket.connect", "pause", "gale.drain"}
	if !slices.Equal(heard, want) {
		t.Fatalf("heard %v, want %v", heard, want)
	}
	x.Run()
	if !x.Paused() {
		t.Error("the exchange was not paused")
	}
	posted := false
	app.Post(func() { posted = true })
	run()
	if !posted {
		t.Error("a pause held back a post")
	}
	app.Resume()
	if len(heard) != 3 {
		t.Error("Resume delivered from within the call")
	}
	run()
	if want = append(want, "one", "two"); !slices.Equal(heard, want) {
		t.Fatalf("heard %v, want %v", heard, want)
	}
	x.Run()
	if x.Paused() {
		t.Error("the exchange was not resumed")
	}
	x.Deliver(incoming("pause"), incoming("dropped"), &asgi.WebSocketDisconnect{})
	run()
	if want = append(want, "pause", "websocket.disconnect"); !slices.Equal(heard, want) {
		t.Fatalf("heard %v, want %v", heard, want)
	}
	app.Resume()
	run()
	if len(heard) != len(want) {
		t.Errorf("after the disconnect came %v", heard[len(want):])
	}
}

func TestSerialSendBlocks(t *testing.T) {
	asgitest.CheckGoroutines(t)
	h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch textOf(ev) {
		case "websocket.connect":
			x.Send(&asgi.WebSocketAccept{})
		case "flood":
			for range 1000 {
				if err := x.Send(message("drop")); err != nil {
					x.End(err)
					return
				}
			}
			x.Send(message("end"))
		}
	})
	x := asgitest.New(t, asgi.Serial(h, nil), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{})
	x.WaitSent(1)
	x.Congest()
	x.Deliver(incoming("flood"))
	x.Wait("a full relay", func() bool { return len(x.Sent()) > 1 })
	if n := len(x.Sent()); n > 600 {
		t.Errorf("%d events were sent into a full outbox", n)
	}
	x.Drain()
	x.WaitSent(1002)
	x.Congest()
	x.Deliver(incoming("flood"))
	x.Deliver(&asgi.WebSocketDisconnect{})
	if err := x.WaitEnded(); err != asgi.ErrDisconnected {
		t.Errorf("a blocked send ended with %v", err)
	}
}

func TestSerialPanicAndGoexit(t *testing.T) {
	for name, die := range map[string]func(){
		"panic":  func() { panic("oh") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			asgitest.CheckGoroutines(t)
			posted := make(chan struct{})
			h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				if textOf(ev) == "websocket.connect" {
					x.Post(func() { close(posted) })
					die()
				}
				t.Errorf("event %s after the end", ev.EventType())
			})
			x := asgitest.New(t, asgi.Serial(h, nil), asgitest.WebSocketScope("/"))
			x.Deliver(&asgi.WebSocketConnect{}, incoming("late"))
			var failure *asgi.PanicError
			if err := x.WaitEnded(); !errors.As(err, &failure) {
				t.Errorf("ended with %v", err)
			}
			<-posted // a post runs even after the end
		})
	}
}

func TestSerialRefusedTask(t *testing.T) {
	full := errors.New("full")
	t.Run("first", func(t *testing.T) {
		asgitest.CheckGoroutines(t)
		h := asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver {
			t.Error("the handler was opened")
			return nil
		})
		x := asgitest.New(t, asgi.Serial(h, func(func()) error { return full }), asgitest.WebSocketScope("/"))
		if err := x.WaitEnded(); err != full {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("later", func(t *testing.T) {
		asgitest.CheckGoroutines(t)
		var refuse atomic.Bool
		heard := make(chan string, 10)
		var app asgi.Exchange
		h := handlerOf(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			app = x
			heard <- textOf(ev)
			echo(x, ev)
		})
		x := asgitest.New(t, asgi.Serial(h, func(task func()) error {
			if refuse.Load() {
				return full
			}
			task()
			return nil
		}), asgitest.WebSocketScope("/"))
		x.Deliver(&asgi.WebSocketConnect{})
		<-heard
		refuse.Store(true)
		x.Deliver(incoming("too much"))
		if err := x.WaitEnded(); err != full {
			t.Errorf("ended with %v", err)
		}
		if got := <-heard; got != "websocket.disconnect" {
			t.Errorf("the handler heard %s", got)
		}
		posted := make(chan struct{})
		app.Post(func() { close(posted) })
		<-posted
		if len(heard) > 0 {
			t.Errorf("the handler heard %s again", <-heard)
		}
	})
}

func TestSerialPostAndTimers(t *testing.T) {
	asgitest.CheckGoroutines(t)
	var app asgi.Exchange
	opened := make(chan struct{})
	x := asgitest.New(t, asgi.Serial(asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		close(opened)
		return nil
	}), nil), asgitest.WebSocketScope("/"))
	<-opened
	order := make(chan int, 100)
	for i := range 100 {
		app.Post(func() { order <- i })
	}
	for want := range 100 {
		if got := <-order; got != want {
			t.Fatalf("post %d ran as number %d", got, want)
		}
	}
	fired := make(chan struct{})
	app.AfterFunc(time.Microsecond, func() { close(fired) })
	<-fired
	stopped := app.AfterFunc(time.Hour, func() { t.Error("a stopped timer fired") })
	if !stopped.Stop() {
		t.Error("Stop came too late")
	}
	app.AfterFunc(time.Microsecond, func() { app.End(nil) })
	x.WaitEnded()
	late := make(chan struct{})
	app.AfterFunc(0, func() { t.Error("a timer fired after the end") })
	time.AfterFunc(time.Millisecond, func() { app.Post(func() { close(late) }) })
	<-late
}

// A client that waits for 100 (Continue) waits for the handler, not for the
// wrapper around it.
func TestWrappersKeepTheClientWaiting(t *testing.T) {
	expect := asgi.Header{Name: "expect", Value: "100-continue"}
	t.Run("serial", func(t *testing.T) {
		asgitest.CheckGoroutines(t)
		for _, pause := range []bool{false, true} {
			gate := make(chan struct{})
			h := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
				<-gate
				if pause {
					x.Pause()
				}
				x.Post(func() { x.Send(&asgi.HTTPResponseStart{Status: 200}) })
				return nil
			})
			x := asgitest.New(t, asgi.Serial(h, nil), asgitest.HTTPScope("PUT", "/", expect))
			if !x.Paused() {
				t.Error("reading before the handler is open")
			}
			close(gate)
			x.WaitSent(1)
			if x.Paused() != pause {
				t.Errorf("the handler paused: %v, the exchange did: %v", pause, x.Paused())
			}
		}
	})
	t.Run("goroutine", func(t *testing.T) {
		asgitest.CheckGoroutines(t)
		gate := make(chan struct{})
		x := asgitest.New(t, asgi.Goroutine(converse(t, func(c conversation) error {
			<-gate
			_, err := c.receive(c.ctx)
			return err
		}), nil), asgitest.HTTPScope("PUT", "/", expect))
		if !x.Paused() {
			t.Error("reading before the application receives")
		}
		close(gate)
		x.Wait("reading", func() bool { return !x.Paused() })
		x.Deliver(&asgi.HTTPRequest{})
		if err := x.WaitEnded(); err != nil {
			t.Error(err)
		}
	})
}
