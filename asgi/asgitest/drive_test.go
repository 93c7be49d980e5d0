package asgitest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
)

func hello(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: "text/plain"}}})
	x.Send(&asgi.HTTPResponseBody{Body: []byte("hello " + scope.Path)})
	x.End(nil)
	return nil
}

func TestGet(t *testing.T) {
	r := asgitest.Get(t, asgi.HandlerFunc(hello), "/caf%C3%A9?x=1")
	if r.Status != 200 || r.Header("content-type") != "text/plain" || string(r.Body) != "hello /café" || !r.Complete || r.Err != nil {
		t.Errorf("response is %+v", r)
	}
}

func TestPauseHoldsBackDataOnly(t *testing.T) {
	var got []string
	var app asgi.Exchange
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		x.Pause()
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { got = append(got, ev.EventType()) })
	}), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{}, &asgi.Drain{})
	want := []string{"websocket.connect", "gale.drain"}
	if !equal(got, want) || x.Waiting() != 1 {
		t.Fatalf("delivered %v, want %v", got, want)
	}
	app.Resume()
	if !equal(got, want) {
		t.Fatal("Resume delivered from within the call")
	}
	x.Run()
	if want = append(want, "websocket.receive"); !equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func TestDisconnectDropsWhatAPauseHeldBack(t *testing.T) {
	var got []string
	var app asgi.Exchange
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		x.Pause()
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { got = append(got, ev.EventType()) })
	}), asgitest.WebSocketScope("/"))
	x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{}, &asgi.WebSocketDisconnect{})
	app.Resume()
	x.Run()
	if want := []string{"websocket.connect", "websocket.disconnect"}; !equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

func TestPayloadIsTakenBack(t *testing.T) {
	var kept []byte
	x := asgitest.New(t, asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver {
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { kept = ev.(*asgi.HTTPRequest).Body })
	}), asgitest.HTTPScope("POST", "/"))
	body := []byte("body")
	x.Deliver(&asgi.HTTPRequest{Body: body, MoreBody: true})
	if string(kept) == "body" || string(body) != "body" {
		t.Errorf("the handler still sees %q, the test %q", kept, body)
	}
}

func TestClock(t *testing.T) {
	var fired []string
	var app asgi.Exchange
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		x.AfterFunc(2*time.Second, func() { fired = append(fired, "two") })
		x.AfterFunc(time.Second, func() {
			fired = append(fired, "one")
			x.AfterFunc(time.Second, func() { fired = append(fired, "two again") })
		})
		x.AfterFunc(time.Hour, func() { fired = append(fired, "never") })
		stopped := x.AfterFunc(time.Second, func() { fired = append(fired, "stopped") })
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop must report the first stop only")
		}
		return nil
	}), asgitest.HTTPScope("GET", "/"))
	x.Advance(1500 * time.Millisecond)
	if want := []string{"one"}; !equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
	x.Advance(time.Second)
	if want := []string{"one", "two", "two again"}; !equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
	app.End(nil)
	x.Advance(2 * time.Hour)
	if len(fired) != 3 {
		t.Errorf("fired %v after the end", fired)
	}
}

func TestClockFiresInOrder(t *testing.T) {
	var fired []string
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		for _, at := range []time.Duration{3, 1, 2, 1} {
			x.AfterFunc(at*time.Second, func() { fired = append(fired, at.String()) })
		}
		return nil
	}), asgitest.HTTPScope("GET", "/"))
	x.Advance(time.Hour)
	if want := []string{"1ns", "1ns", "2ns", "3ns"}; !equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestPostFromOtherGoroutines(t *testing.T) {
	asgitest.CheckGoroutines(t)
	n := 0
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		for range 10 {
			go x.Post(func() { n++ })
		}
		return nil
	}), asgitest.HTTPScope("GET", "/"))
	x.Wait("ten posts", func() bool { return n == 10 })
}

func TestForeignGoroutine(t *testing.T) {
	x := asgitest.New(t, asgi.HandlerFunc(hello), asgitest.HTTPScope("GET", "/"))
	result := make(chan error)
	go func() { result <- x.Send(&asgi.HTTPResponseBody{}) }()
	if err := <-result; !errors.Is(err, asgi.ErrForeignGoroutine) {
		t.Errorf("Send from a foreign goroutine: %v", err)
	}
	adopted := make(chan bool)
	go func() { x.Adopt(); adopted <- x.Owned() }()
	if !<-adopted || x.Owned() {
		t.Error("Adopt did not move the ownership")
	}
}

func TestSendAfterDisconnectAndCompletion(t *testing.T) {
	var app asgi.Exchange
	var events []string
	open := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { events = append(events, ev.EventType()) })
	})
	x := asgitest.New(t, open, asgitest.HTTPScope("GET", "/"))
	x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
	if err := app.Send(&asgi.HTTPResponseStart{Status: 200}); err != asgi.ErrDisconnected {
		t.Errorf("send after the disconnect: %v", err)
	}

	events = nil
	x = asgitest.New(t, open, asgitest.HTTPScope("GET", "/"))
	app.Send(&asgi.HTTPResponseStart{Status: 204})
	app.Send(&asgi.HTTPResponseBody{})
	x.Run()
	if want := []string{"http.disconnect"}; !equal(events, want) {
		t.Errorf("a complete response was followed by %v", events)
	}
	if err := app.Send(&asgi.HTTPResponseBody{}); err != nil {
		t.Errorf("send after completion: %v", err)
	}
}

func TestPanicEndsTheExchange(t *testing.T) {
	x := asgitest.New(t, asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver {
		panic("oh")
	}), asgitest.HTTPScope("GET", "/"))
	var failure *asgi.PanicError
	if !x.Ended() || !errors.As(x.Err(), &failure) || failure.Value != "oh" {
		t.Errorf("ended %v with %v", x.Ended(), x.Err())
	}
}

func TestCongestion(t *testing.T) {
	var events []string
	var app asgi.Exchange
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		app = x
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) { events = append(events, ev.EventType()) })
	}), asgitest.HTTPScope("GET", "/"))
	x.Congest()
	app.Send(&asgi.HTTPResponseStart{Status: 200})
	app.Send(&asgi.HTTPResponseBody{Body: []byte("1234"), MoreBody: true})
	if !app.Congested() || app.Buffered() != 4 {
		t.Errorf("congested %v with %d bytes", app.Congested(), app.Buffered())
	}
	x.Drain()
	if app.Congested() || app.Buffered() != 0 || !equal(events, []string{"gale.writable"}) {
		t.Errorf("after the drain: congested %v, events %v", app.Congested(), events)
	}
}

func TestCleanupDisconnects(t *testing.T) {
	asgitest.CheckGoroutines(t)
	var cause error
	t.Run("left open", func(t *testing.T) {
		asgitest.New(t, asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, _ asgi.Send) error {
			for {
				if ev, err := receive(ctx); err != nil || ev.EventType() == "http.disconnect" {
					cause = context.Cause(ctx)
					return nil
				}
			}
		}), asgitest.HTTPScope("GET", "/"))
	})
	if cause != asgi.ErrDisconnected {
		t.Errorf("an application left open ended with %v", cause)
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
