package socket_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// oneLoop is a loop that many exchanges share; what is posted runs on call.
type oneLoop struct {
	asgi.Loop
	posted []func()
}

func (l *oneLoop) Post(fn func()) bool { l.posted = append(l.posted, fn); return true }

func (l *oneLoop) run() {
	for i := 0; i < len(l.posted); i++ { // what runs may post
		l.posted[i]()
	}
	clear(l.posted)
	l.posted = l.posted[:0]
}

// counter is an exchange on a loop that counts what is sent, and drops it.
type counter struct {
	asgi.Exchange
	loop   *oneLoop
	frames *int
	bytes  *int
}

func (c counter) Loop() asgi.Loop      { return c.loop }
func (c counter) Post(fn func()) bool  { return c.loop.Post(fn) }
func (c counter) Congested() bool      { return false }
func (c counter) Reclaim()             {}
func (c counter) Recycle(p []byte)     {}
func (c counter) Keep(p []byte) []byte { return p }

func (c counter) Send(ev asgi.SendEvent) error {
	if send, ok := ev.(*asgi.WebSocketSend); ok {
		*c.frames++
		*c.bytes += len(send.Data)
	}
	return nil
}

// crowd is a hub and many sockets on one loop that subscribe to a channel.
type crowd struct {
	hub           *hub.Hub
	loop          oneLoop
	frames, bytes int
}

func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	w := &crowd{}
	var err error
	if w.hub, err = hub.New(hub.Config{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.hub.Close(); w.loop.run() })
	h, err := socket.New(socket.Config{Hub: w.hub, Authenticate: hub.Anyone(hub.Everything)})
	if err != nil {
		tb.Fatal(err)
	}
	scope := asgitest.WebSocketScope("/")
	lent := asgitest.New(tb, asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver { return nil }), scope)
	for range n {
		r := h.Open(scope, counter{Exchange: lent, loop: &w.loop, frames: &w.frames, bytes: &w.bytes})
		r.Receive(&asgi.WebSocketConnect{})
		r.Receive(&asgi.WebSocketReceive{Data: []byte(`{"id":1,"connect":{}}`)})
		r.Receive(&asgi.WebSocketReceive{Data: []byte(`{"id":2,"subscribe":{"channel":"a"}}`)})
	}
	w.loop.run()
	w.frames, w.bytes = 0, 0
	return w
}

func (w *crowd) publish(tb testing.TB, batch []hub.Publication) {
	w.hub.Publish(batch, nil)
	w.loop.run()
}

func batchOf(n int) (batch []hub.Publication) {
	for range n {
		batch = append(batch, hub.Publication{Channel: "a", Data: []byte(`{"text":"Good morning! Is the loop still running?"}`)})
	}
	return batch
}

// BenchmarkDelivery publishes to 1,000 sockets of one loop.
func BenchmarkDelivery(b *testing.B) {
	const sockets = 1000
	for _, messages := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) {
			w := newCrowd(b, sockets)
			batch := batchOf(messages)
			b.ReportAllocs()
			for b.Loop() {
				w.publish(b, batch)
			}
			n := float64(b.N) * sockets * float64(messages)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/delivery")
			b.ReportMetric(float64(w.bytes)/n, "bytes/delivery")
		})
	}
}

// BenchmarkPublish is a publish command of a client, and its reply.
func BenchmarkPublish(b *testing.B) {
	h, err := hub.New(hub.Config{PublishRate: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	handler, err := socket.New(socket.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
	if err != nil {
		b.Fatal(err)
	}
	var loop oneLoop
	var frames, bytes int
	scope := asgitest.WebSocketScope("/")
	lent := asgitest.New(b, asgi.HandlerFunc(func(*asgi.Scope, asgi.Exchange) asgi.Receiver { return nil }), scope)
	r := handler.Open(scope, counter{Exchange: lent, loop: &loop, frames: &frames, bytes: &bytes})
	r.Receive(&asgi.WebSocketConnect{})
	r.Receive(&asgi.WebSocketReceive{Data: []byte(`{"id":1,"connect":{}}`)})
	say := &asgi.WebSocketReceive{Data: []byte(`{"id":2,"publish":{"channel":"a","data":{"text":"Good morning! Is the loop still running?"}}}`)}
	b.ReportAllocs()
	for b.Loop() {
		r.Receive(say)
	}
	if frames != b.N+1 {
		b.Errorf("%d replies to %d", frames-1, b.N)
	}
}

// BenchmarkIdle is what a connection with one subscription takes on the heap,
// without what the engine has for it.
func BenchmarkIdle(b *testing.B) {
	const sockets = 10_000
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		w := newCrowd(b, sockets)
		b.ReportMetric((heap()-before)/sockets, "bytes/socket")
		runtime.KeepAlive(w)
	}
}
