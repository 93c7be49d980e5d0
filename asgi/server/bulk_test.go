package server

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop/looptest"
)

// largeMessage is n bytes that tell their place.
func largeMessage(n int) string {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8) ^ byte(i)
	}
	return string(p)
}

// wsPeer is an open WebSocket on a bench.
func wsPeer(t testing.TB, h asgi.Handler) (*bench, *looptest.Conn) {
	t.Helper()
	b := newBench(t, Config{Handler: h})
	c := b.dial()
	c.Feed("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	wantStatus(t, c.Output(), "101")
	return b, c
}

// sends makes a handler in event form that calls fn with each message.
func sends(fn func(x asgi.Exchange, p []byte)) asgi.Handler {
	return asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			switch ev := ev.(type) {
			case *asgi.WebSocketConnect:
				_ = x.Send(&asgi.WebSocketAccept{})
			case *asgi.WebSocketReceive:
				fn(x, ev.Data)
			}
		})
	})
}

// largeFrame is a masked frame of a client, longer than frame makes them.
func largeFrame(p string) string {
	b := append([]byte{0x82, 0x80 | 127, 0, 0, 0, 0, byte(len(p) >> 24), byte(len(p) >> 16), byte(len(p) >> 8), byte(len(p))}, 1, 2, 3, 4)
	for i := range len(p) {
		b = append(b, p[i]^byte(1+i%4))
	}
	return string(b)
}

// slowly reads what the peer gets, a piece at a time.
func slowly(c *looptest.Conn, want int) string {
	var out strings.Builder
	for range want/50_001 + 10 {
		out.WriteString(c.Output())
		c.Accept(50_001)
	}
	c.Accept(-1)
	return out.String()
}

// binaryHead is the head of a server's frame of n bytes.
func binaryHead(n int) string {
	return string([]byte{0x82, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// TestEchoOfLargeMessages sends what is being received back, once and twice, whole
// and in part, to a peer that takes it slowly while the next message comes: each
// payload stays as it is until it is sent.
func TestEchoOfLargeMessages(t *testing.T) {
	const size = 300_000
	first, second := largeMessage(size), strings.Repeat("2", size)
	answers := map[string]struct {
		h    asgi.Handler
		want func(p string) string
	}{
		"once": {
			sends(func(x asgi.Exchange, p []byte) { _ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p}) }),
			func(p string) string { return binaryHead(size) + p },
		},
		"called immutable": {
			sends(func(x asgi.Exchange, p []byte) {
				_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p, Lifetime: asgi.Immutable})
			}),
			func(p string) string { return binaryHead(size) + p },
		},
		"twice, in part": {
			sends(func(x asgi.Exchange, p []byte) {
				_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p[1:]})
				_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p[:len(p)-1]})
			}),
			func(p string) string { return binaryHead(size-1) + p[1:] + binaryHead(size-1) + p[:size-1] },
		},
		"kept, changed": {
			sends(func(x asgi.Exchange, p []byte) {
				kept := x.Keep(p)
				_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: kept})
				clear(kept)
			}),
			func(p string) string { return binaryHead(size) + p },
		},
		"sent, kept, changed": {
			sends(func(x asgi.Exchange, p []byte) {
				_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p})
				clear(x.Keep(p))
			}),
			func(p string) string { return binaryHead(size) + p },
		},
		"by a coroutine that changes it": {
			asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
				for {
					ev, err := receive(ctx)
					if err != nil {
						return err
					}
					switch ev := ev.(type) {
					case *asgi.WebSocketConnect:
						err = send(ctx, &asgi.WebSocketAccept{})
					case *asgi.WebSocketReceive:
						err = send(ctx, &asgi.WebSocketSend{Kind: asgi.Binary, Data: ev.Data})
						clear(ev.Data)
					case *asgi.WebSocketDisconnect:
						return nil
					}
					if err != nil {
						return err
					}
				}
			}),
			func(p string) string { return binaryHead(size) + p },
		},
	}
	for name, tc := range answers {
		for _, piece := range []int{2 * size, 100_000, 5000} {
			_, c := wsPeer(t, tc.h)
			c.Accept(70_000)
			for in := largeFrame(first) + largeFrame(second); len(in) > 0; {
				n := min(len(in), piece)
				c.Feed(in[:n])
				in = in[n:]
			}
			want := tc.want(first) + tc.want(second)
			if got := slowly(c, len(want)); got != want {
				t.Errorf("%s, pieces of %d: the peer got something else", name, piece)
			}
			wantOpen(t, c)
			c.Reset()
		}
	}
}

// TestReceivedMessageIsTheCoroutines has an application keep its messages while
// others come.
func TestReceivedMessageIsTheCoroutines(t *testing.T) {
	const size = 200_000
	var kept [][]byte
	_, c := wsPeer(t, asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch ev := ev.(type) {
			case *asgi.WebSocketConnect:
				err = send(ctx, &asgi.WebSocketAccept{})
			case *asgi.WebSocketReceive:
				kept = append(kept, ev.Data)
			case *asgi.WebSocketDisconnect:
				return nil
			}
			if err != nil {
				return err
			}
		}
	}))
	for i := range 5 {
		c.Feed(largeFrame(strings.Repeat(string(rune('a'+i)), size)))
	}
	c.Reset()
	if len(kept) != 5 {
		t.Fatalf("%d messages", len(kept))
	}
	for i, p := range kept {
		if !bytes.Equal(p, bytes.Repeat([]byte{byte('a' + i)}, size)) {
			t.Errorf("message %d has changed", i)
		}
	}
}

// TestRecycledMessages has a coroutine give its messages back: they lie in the same
// memory, one after the other.
func TestRecycledMessages(t *testing.T) {
	const size = 200_000
	places := map[*byte]bool{}
	_, c := wsPeer(t, asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		for {
			ev, err := receive(ctx)
			if err != nil {
				return err
			}
			switch ev := ev.(type) {
			case *asgi.WebSocketConnect:
				err = send(ctx, &asgi.WebSocketAccept{})
			case *asgi.WebSocketReceive:
				places[&ev.Data[0]] = true
				asgi.Recycle(ctx, ev)
				if ev.Data != nil {
					t.Error("a recycled event has its payload still")
				}
			case *asgi.WebSocketDisconnect:
				return nil
			}
			if err != nil {
				return err
			}
		}
	}))
	for range 20 {
		c.Feed(largeFrame(largeMessage(size)))
	}
	c.Reset()
	if len(places) == 0 || len(places) > 2 {
		t.Errorf("20 messages, one after the other, lay in %d places", len(places))
	}
}

// TestReclaimUponTimeout has a coroutine give up a large send, and change its memory,
// while the peer reads nothing.
func TestReclaimUponTimeout(t *testing.T) {
	const size = 300_000
	message := largeMessage(size)
	_, c := wsPeer(t, asgi.Coroutine(func(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if _, err := receive(ctx); err != nil {
			return err
		}
		if err := send(ctx, &asgi.WebSocketAccept{}); err != nil {
			return err
		}
		_, err := receive(ctx)
		if err != nil {
			return err
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		p := []byte(message)
		err = send(short, &asgi.WebSocketSend{Kind: asgi.Binary, Data: p})
		clear(p)
		if err != nil {
			t.Errorf("what was accepted is reported as %v", err)
		}
		_, err = receive(ctx)
		return err
	}))
	c.Accept(1000)
	c.Feed(frame(1, "go"))
	if got := slowly(c, size+10); got != binaryHead(size)+message {
		t.Error("the peer got something else")
	}
	c.Reset()
}

// TestLargeMessagesReuseMemory echoes large messages to a peer that takes them
// slowly: their memory is the loop's, and is used again.
func TestLargeMessagesReuseMemory(t *testing.T) {
	const size = 300_000
	places := map[*byte]bool{}
	_, c := wsPeer(t, sends(func(x asgi.Exchange, p []byte) {
		places[&p[0]] = true
		_ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: p})
	}))
	in := largeFrame(largeMessage(size))
	for range 20 {
		c.Accept(1000)
		c.Feed(in)
		if n := len(slowly(c, size+10)); n != size+10 {
			t.Fatalf("%d bytes of an answer", n)
		}
	}
	if len(places) > 2 {
		t.Errorf("20 messages, one after the other, lay in %d places", len(places))
	}
}

// TestHeldOfLargeTransfers has paused applications get more than they take: each conn
// holds one read of the usual size, and all of them what they may.
func TestHeldOfLargeTransfers(t *testing.T) {
	pauses := asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		x.Pause()
		return asgi.ReceiverFunc(func(asgi.ReceiveEvent) {})
	})
	upload := func(b *bench, conns int) {
		var all []*looptest.Conn
		for range conns {
			c := b.dial()
			c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n")
			all = append(all, c)
		}
		for _, c := range all {
			c.Feed(strings.Repeat("a", 1<<20))
		}
	}
	b := newBench(t, Config{Handler: pauses})
	if upload(b, 1); b.w.held > 64<<10 {
		t.Errorf("a conn holds %d bytes", b.w.held)
	}
	b = newBench(t, Config{Handler: pauses, HeldBytes: 64 << 10})
	if upload(b, 10); b.w.held > 64<<10+64<<10+10*smallRead {
		t.Errorf("ten conns hold %d bytes", b.w.held)
	}
}

// TestFileAfterALoan sends a file behind a payload that was lent: the next request is
// served.
func TestFileAfterALoan(t *testing.T) {
	path, content := tempFile(t, 4)
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	p := bytes.Repeat([]byte("p"), 100_000)
	requests := 0
	b := newBench(t, Config{Handler: asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		requests++
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-length", Value: "100004"}}}))
		must(t, x.Send(&asgi.HTTPResponseBody{Body: p, MoreBody: true, Lifetime: asgi.UntilWritable}))
		must(t, x.Send(&asgi.HTTPResponseZeroCopySend{File: file, Count: 4}))
		return nil
	})})
	c := b.dial()
	c.Accept(1000)
	c.Feed("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.Accept(-1)
	var out strings.Builder
	c.Await(func() bool { out.WriteString(c.Output()); return strings.Count(out.String(), content) == 2 })
	if requests != 2 {
		t.Errorf("%d requests were served", requests)
	}
}

// TestNothingAfterEnd has an application end while its last payload is on its way: it
// hears nothing more, and the next request is served.
func TestNothingAfterEnd(t *testing.T) {
	var exchanges []asgi.Exchange
	ended := false
	b := newBench(t, Config{Handler: asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		exchanges = append(exchanges, x)
		must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		must(t, x.Send(&asgi.HTTPResponseBody{Body: bytes.Repeat([]byte("p"), 100_000), Lifetime: asgi.UntilWritable}))
		return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
			if ended {
				t.Errorf("after End: %s", ev.EventType())
			}
		})
	})})
	c := b.dial()
	c.Accept(1000)
	c.Feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	b.EventLoop().Post(func() { exchanges[0].End(nil); ended = true })
	b.Run()
	c.Accept(-1)
	ended = false
	c.Feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if len(exchanges) != 2 {
		t.Errorf("%d requests were served", len(exchanges))
	}
}
