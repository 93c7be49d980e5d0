package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
)

func TestFixed(t *testing.T) {
	f := handlers.NewFixed(201, "made", asgi.Header{Name: "location", Value: "/1"})
	for range 2 { // the second is as the first
		r := asgitest.Get(t, f, "/")
		if r.Status != 201 || string(r.Body) != "made" || r.Header("location") != "/1" ||
			r.Header("content-type") != "text/plain; charset=utf-8" || !r.Complete {
			t.Errorf("got %+v", r)
		}
	}
	f = handlers.NewFixed(200, "{}", asgi.Header{Name: "content-type", Value: "application/json"})
	if r := asgitest.Get(t, f, "/"); len(r.Headers) != 1 || r.Header("content-type") != "application/json" {
		t.Errorf("headers are %v", r.Headers)
	}
	if x := asgitest.New(t, f, asgitest.WebSocketScope("/")); x.Err() != asgi.ErrUnsupportedScope {
		t.Errorf("a WebSocket ended with %v", x.Err())
	}
	scope, x := asgitest.HTTPScope("GET", "/"), asgi.Exchange(discard{})
	if n := testing.AllocsPerRun(100, func() { f.Open(scope, x) }); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}

func TestTextAfterAnAnswer(t *testing.T) {
	var second error
	asgitest.Get(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		_ = x.Send(&asgi.HTTPResponseStart{Status: 200})
		second = handlers.Text(x, 500, "too late")
		_ = x.Send(&asgi.HTTPResponseBody{})
		return nil
	}), "/")
	var order *asgi.OrderError
	if !errors.As(second, &order) {
		t.Errorf("a second start: %v", second)
	}
}

type counter struct {
	asgi.Exchange
	sent int
}

func (c *counter) Send(asgi.SendEvent) error { c.sent++; return nil }

func TestRefuseAnswersTheHandshakeOnly(t *testing.T) {
	x := new(counter)
	r := handlers.Refuse(asgitest.WebSocketScope("/"), x, 404, "no")
	r.Receive(&asgi.Drain{})
	r.Receive(&asgi.WebSocketDisconnect{})
	if x.sent != 0 {
		t.Error("answered what was no handshake")
	}
}

// pieces is a request of 6 bytes in three events.
var pieces = []asgi.ReceiveEvent{
	&asgi.HTTPRequest{Body: []byte("ab"), MoreBody: true},
	&asgi.HTTPRequest{Body: []byte("cdef"), MoreBody: true},
	&asgi.HTTPRequest{},
}

// echoes are an echo of bodies up to 6 bytes, in both forms.
var echoes = map[string]asgi.Handler{
	"event": asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return handlers.ReadBody(scope, x, 6, func(body []byte) {
			_ = handlers.Respond(x, 200, body)
		})
	}),
	"coroutine": asgi.Coroutine(func(ctx context.Context, scope *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		body, err := handlers.ReadAll(ctx, scope, receive, 6)
		if errors.Is(err, handlers.ErrBodyTooLarge) {
			_ = send(ctx, &asgi.HTTPResponseStart{Status: 413})
			return send(ctx, &asgi.HTTPResponseBody{})
		}
		if err != nil {
			return err
		}
		_ = send(ctx, &asgi.HTTPResponseStart{Status: 200})
		return send(ctx, &asgi.HTTPResponseBody{Body: body})
	}),
}

func TestReadBody(t *testing.T) {
	length := func(n string) asgi.Header { return asgi.Header{Name: "content-length", Value: n} }
	for form, echo := range echoes {
		for _, c := range []struct {
			what    string
			headers []asgi.Header
			events  []asgi.ReceiveEvent
			status  int
			body    string
		}{
			{"pieces", nil, pieces, 200, "abcdef"},
			{"at once", nil, []asgi.ReceiveEvent{&asgi.HTTPRequest{Body: []byte("abcdef")}}, 200, "abcdef"},
			{"none", nil, []asgi.ReceiveEvent{&asgi.HTTPRequest{}}, 200, ""},
			{"too long at once", nil, []asgi.ReceiveEvent{&asgi.HTTPRequest{Body: []byte("abcdefg")}}, 413, ""},
			{"too long in pieces", nil, []asgi.ReceiveEvent{pieces[0], pieces[1], &asgi.HTTPRequest{Body: []byte("g")}}, 413, ""},
			{"announced, fits", []asgi.Header{length("6")}, pieces, 200, "abcdef"},
			{"announced, too long", []asgi.Header{length("7")}, nil, 413, ""},
			{"announced, immense", []asgi.Header{length("99999999999999999999")}, pieces, 200, "abcdef"}, // no number: counted
		} {
			x := asgitest.New(t, echo, asgitest.HTTPScope("POST", "/", c.headers...))
			x.Deliver(c.events...)
			r := x.Response()
			if r.Status != c.status || (c.status == 200 && string(r.Body) != c.body) || !r.Complete {
				t.Errorf("%s, %s: %d %q", form, c.what, r.Status, r.Body)
			}
		}
	}
}

func TestReadBodyDisconnect(t *testing.T) {
	for form, echo := range echoes {
		x := asgitest.New(t, echo, asgitest.HTTPScope("POST", "/"))
		x.Deliver(pieces[0], &asgi.HTTPDisconnect{})
		if r := x.Response(); r.Status != 0 {
			t.Errorf("%s: answered %d to nobody", form, r.Status)
		}
		if err := x.Err(); err != nil && !errors.Is(err, asgi.ErrDisconnected) {
			t.Errorf("%s: ended with %v", form, err)
		}
	}
}

// The pieces of an event are taken back by the engine: the body must be a copy
// once it has more than one.
func TestReadBodyCopies(t *testing.T) {
	var got []byte
	h := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return handlers.ReadBody(scope, x, 100, func(body []byte) {
			got = bytes.Clone(body)
			_ = handlers.Text(x, 200, "")
		})
	})
	x := asgitest.New(t, h, asgitest.HTTPScope("POST", "/"))
	x.Deliver(pieces...)
	if string(got) != "abcdef" {
		t.Errorf("got %q", got)
	}
}

func TestErrBodyTooLargeHasAStatus(t *testing.T) {
	status, ok := handlers.ErrBodyTooLarge.(interface{ HTTPStatus() int })
	if !ok || status.HTTPStatus() != 413 {
		t.Error("a server would not answer 413")
	}
}
