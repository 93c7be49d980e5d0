package sse

import (
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
)

// sink is an exchange that takes everything and keeps nothing.
type sink struct {
	asgi.Exchange
	bytes int
}

func (x *sink) Send(ev asgi.SendEvent) error               { x.bytes += asgi.Size(ev); return nil }
func (x *sink) Congested() bool                            { return false }
func (x *sink) Reclaim()                                   {}
func (x *sink) Recycle(p []byte)                           {}
func (x *sink) Keep(p []byte) []byte                       { return p }
func (x *sink) Post(func()) bool                           { return true }
func (x *sink) AfterFunc(time.Duration, func()) asgi.Timer { return nil }

// serve opens a stream of a user for a sink.
func serve(tb testing.TB, user, query string) (*subscriber, *sink) {
	tb.Helper()
	h, err := hub.New(hub.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	handler, err := New(Config{Hub: h, Authenticate: func(*asgi.Scope, string) (hub.Identity, error) {
		return hub.Identity{User: user, Grants: hub.Everything}, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	x := &sink{}
	t, ok := handler.Open(asgitest.HTTPScope("GET", "/?"+query), x).(*subscriber)
	if !ok {
		tb.Fatal("there is no stream")
	}
	tb.Cleanup(func() { t.Receive(&asgi.HTTPDisconnect{}) })
	return t, x
}

// message is one as a hub gives it.
func message() *hub.Message {
	p := hub.Publication{Channel: "a", Data: []byte(`{"text":"hello, hello, hello"}`)}
	return hub.NewBudget(1<<20).Message(p, hub.Position{Epoch: "ABCDEFGH", Offset: 1}, time.Now())
}

func BenchmarkDelivery(b *testing.B) {
	for name, c := range map[string]struct{ user, query string }{
		"shared": {"", "ch=a"},
		"own":    {"ann", "ch=a"},
		"ten":    {"ann", "ch=a,b,c,d,e,f,g,h,i,j"},
	} {
		b.Run(name, func(b *testing.B) {
			s, _ := serve(b, c.user, c.query)
			batch := []*hub.Message{message()}
			sub := s.client.Subscriptions()[0]
			b.ReportAllocs()
			for b.Loop() {
				s.Messages(sub, batch)
			}
		})
	}
}

// BenchmarkResume is what it costs to come back for ten messages, and to leave.
func BenchmarkResume(b *testing.B) {
	first, x := serve(b, "ann", "ch=a")
	for range 10 {
		if _, err := first.h.config.Hub.PublishOne(hub.Publication{Channel: "a", Data: message().Data}); err != nil {
			b.Fatal(err)
		}
	}
	scope := asgitest.HTTPScope("GET", "/?ch=a", asgi.Header{Name: "last-event-id", Value: first.id(time.Now())})
	b.ReportAllocs()
	for b.Loop() {
		before := x.bytes
		t := first.h.Open(scope, x).(*subscriber)
		if x.bytes-before < 10*len(message().Data) {
			b.Fatalf("%d bytes", x.bytes-before)
		}
		t.Receive(&asgi.HTTPDisconnect{})
	}
}
