package nethttp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/internal/limits"
)

func TestLimitsAreDocumented(t *testing.T) {
	cfg, err := Config{Handler: asgi.HandlerFunc(nil)}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	limits.Check(t, limits.Config{Package: "nethttp", Root: "../..", Defaults: cfg, Derived: []string{"MaxConns"}, Others: []string{
		"Handler", "Logger", "AccessLog", "Name", "RootPath", "Headers", "TrustedProxies", "AllowedOrigins", "WebSocket", "Compression", "Strict", "TLS",
	}})
}

// bubble is a server with the default limits, on pipes and with a fake clock.
type bubble struct {
	t     *testing.T
	conns chan net.Conn
	x     chan asgi.Exchange // of the latest request or WebSocket
	stop  context.CancelFunc
	done  chan error

	mu     sync.Mutex
	events []string
	moved  chan struct{} // closed with the next event
}

// inBubble runs a server and then test, and checks that both end.
func inBubble(t *testing.T, app func(x asgi.Exchange, ev asgi.ReceiveEvent), test func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, conns: make(chan net.Conn), x: make(chan asgi.Exchange, 10), done: make(chan error, 1), moved: make(chan struct{})}
		srv, err := NewServer(Config{Logger: slog.New(slog.DiscardHandler), Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			if s.Type == asgi.ScopeLifespan {
				x.End(asgi.ErrUnsupportedScope)
				return nil
			}
			b.x <- x
			return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
				b.mu.Lock()
				b.events = append(b.events, ev.EventType())
				close(b.moved)
				b.moved = make(chan struct{})
				b.mu.Unlock()
				app(x, ev)
			})
		})})
		if err != nil {
			t.Fatal(err)
		}
		srv.listeners = append(srv.listeners, roomListener{&pipeListener{conns: b.conns, closed: make(chan struct{})}, srv.room})
		var ctx context.Context
		ctx, b.stop = context.WithCancel(context.Background())
		go func() { b.done <- srv.Run(ctx) }() // ends below
		test(b)
		b.stop()
		<-b.done
	})
}

// saw reports whether the application has got an event, once all has come to rest.
func (b *bubble) saw(event string) bool { return b.sees(event, 0) }

// sees waits for an event of the application, at most so long.
func (b *bubble) sees(event string, within time.Duration) bool {
	synctest.Wait()
	for deadline := time.After(within); ; {
		b.mu.Lock()
		seen, moved := slices.Contains(b.events, event), b.moved
		b.mu.Unlock()
		if seen {
			return true
		}
		select {
		case <-moved:
		case <-deadline:
			return false
		}
	}
}

// pipeListener accepts the ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// peer is a client that reads all there is, unless it is told not to.
type peer struct {
	net.Conn
	mu    sync.Mutex
	got   []byte
	ended chan struct{} // closed with the stream
}

func (b *bubble) dial(reads bool) *peer {
	ours, theirs := net.Pipe()
	b.conns <- theirs
	p := &peer{Conn: ours, ended: make(chan struct{})}
	b.t.Cleanup(func() { ours.Close() })
	if reads {
		go p.readAll() // ends with the connection
	}
	return p
}

func (p *peer) readAll() {
	defer close(p.ended)
	for buf := make([]byte, 4096); ; {
		n, err := p.Read(buf)
		p.mu.Lock()
		p.got = append(p.got, buf[:n]...)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// send writes and lets the server come to rest.
func (p *peer) send(text string) {
	_, _ = io.WriteString(p, text) // the server may have closed
	synctest.Wait()
}

// wait waits for the end of the stream, at most so long.
func (p *peer) wait(d time.Duration) {
	select {
	case <-p.ended:
	case <-time.After(d):
	}
}

// came is what the peer has read: statuses, pings and codes of close frames,
// and whether the stream has ended.
func (p *peer) came() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var words []string
	for out := string(p.got); out != ""; out = out[1:] {
		switch {
		case strings.HasPrefix(out, "HTTP/1.1 "):
			words = append(words, out[9:12])
		case out[0] == 0x88 && len(out) >= 4:
			words = append(words, fmt.Sprint(int(out[2])<<8|int(out[3])))
		case strings.HasPrefix(out, "\x89\x00"):
			words = append(words, "ping")
		}
	}
	select {
	case <-p.ended:
		words = append(words, "closed")
	default:
		words = append(words, "open")
	}
	return strings.Join(words, " ")
}

// answersAll answers requests that are complete, and accepts WebSockets.
func answersAll(x asgi.Exchange, ev asgi.ReceiveEvent) {
	switch ev := ev.(type) {
	case *asgi.HTTPRequest:
		if !ev.MoreBody {
			_ = x.Send(&asgi.HTTPResponseStart{Status: 200})
			_ = x.Send(&asgi.HTTPResponseBody{Body: []byte("ok")})
		}
	case *asgi.WebSocketConnect:
		_ = x.Send(&asgi.WebSocketAccept{})
	}
}

const (
	getText   = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	handshake = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

// said has a peer say something to a server with the default limits and wait,
// and returns what comes of it.
func said(t *testing.T, text string, waits ...time.Duration) (came string) {
	inBubble(t, answersAll, func(b *bubble) {
		p := b.dial(true)
		p.send(text)
		for _, d := range waits {
			p.wait(d)
		}
		came = p.came()
		p.Close()
	})
	return came
}

// after is d, or a little less when over is 0 and more when it is 1.
func after(d time.Duration, over int) time.Duration {
	return d - time.Millisecond + time.Duration(2*over)*time.Millisecond
}

// stalledPeer has a WebSocket send so many times one KiB to a peer that takes
// nothing but the handshake.
func stalledPeer(b *bubble, frames int) (*peer, asgi.Exchange) {
	p := b.dial(false)
	p.send(handshake)
	for buf := make([]byte, 1); !strings.HasSuffix(string(p.got), "\r\n\r\n"); {
		if _, err := p.Read(buf); err != nil {
			b.t.Fatal(err)
		}
		p.got = append(p.got, buf...)
	}
	x := <-b.x
	synctest.Wait()
	for range frames {
		x.Post(func() { _ = x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: make([]byte, 1<<10-pieceOverhead)}) })
		synctest.Wait()
	}
	return p, x
}

// onLoop returns what fn does, on the loop of x.
func onLoop[T any](x asgi.Exchange, fn func() T) (got T) {
	x.Post(func() { got = fn() })
	synctest.Wait()
	return got
}

// defaultLimits shows each default: run comes to the limit, or just beyond it
// when over is 1, and returns what came of it.
var defaultLimits = []struct {
	field          string
	run            func(t *testing.T, over int) string
	within, beyond string
}{
	{"nethttp.Config.MaxHeadBytes", func(t *testing.T, over int) string {
		// net/http adds 4 KiB, and counts in pieces of its buffer.
		const line, end = "GET /p HTTP/1.1\r\nHost: h\r\nx: ", "\r\n\r\n"
		return said(t, line+strings.Repeat("x", 64<<10-len(line+end)+over*(8<<10+1))+end)
	}, "200 open", "431 closed"},
	{"nethttp.Config.MaxTargetBytes", func(t *testing.T, over int) string {
		return said(t, "GET /"+strings.Repeat("x", 16<<10-1+over)+" HTTP/1.1\r\nHost: h\r\n\r\n")
	}, "200 open", "414 closed"},
	{"nethttp.Config.MaxFields", func(t *testing.T, over int) string {
		return said(t, "GET / HTTP/1.1\r\nHost: h\r\n"+strings.Repeat("x: y\r\n", 99+over)+"\r\n")
	}, "200 open", "431 closed"},
	{"nethttp.Config.MaxBodyBytes", func(t *testing.T, over int) string {
		return said(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 1<<30+over), time.Second)
	}, "open", "413 closed"},
	{"nethttp.Config.HeadTimeout", func(t *testing.T, over int) string {
		return said(t, "", after(10*time.Second, over))
	}, "open", "closed"},
	{"nethttp.Config.KeepAliveTimeout", func(t *testing.T, over int) string {
		return said(t, getText, after(75*time.Second, over))
	}, "200 open", "200 closed"},
	{"nethttp.Config.MinBodyRate", func(t *testing.T, over int) string {
		return said(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n"+strings.Repeat("x", 2400-over), 12*time.Second)
	}, "open", "408 closed"},
	{"nethttp.Config.BodyRatePeriod", func(t *testing.T, over int) string {
		// net/http lingers half a second after its answer.
		return strings.TrimSuffix(said(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n", after(10*time.Second, over)), " open")
	}, "open", "408"},
	{"nethttp.Config.DepartTimeout", func(t *testing.T, over int) (came string) {
		pauses := func(x asgi.Exchange, _ asgi.ReceiveEvent) { x.Pause() }
		inBubble(t, pauses, func(b *bubble) {
			p := b.dial(true)
			p.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nunread")
			departureOf((<-b.x).(*httpExchange).res.r).set(ended)
			came = fmt.Sprint(b.sees("http.disconnect", after(time.Second, over)))
			p.Close()
		})
		return came
	}, "false", "true"},
	{"websocket.Config.MaxMessageBytes", func(t *testing.T, over int) string {
		const rest = 16<<20 - 1 // after a fragment of one byte
		length := binary.BigEndian.AppendUint64(nil, uint64(rest+over))
		return said(t, handshake+"\x02\x81\x00\x00\x00\x00-\x80\xff"+string(length)+"\x00\x00\x00\x00")
	}, "101 open", "101 1009 closed"},
	{"nethttp.Config.PingInterval", func(t *testing.T, over int) string {
		return said(t, handshake, after(25*time.Second, over))
	}, "101 open", "101 ping open"},
	{"nethttp.Config.PongTimeout", func(t *testing.T, over int) string {
		return said(t, handshake, 25*time.Second, after(20*time.Second, over))
	}, "101 ping open", "101 ping 1011 closed"},
	{"nethttp.Config.CloseTimeout", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p := b.dial(true)
			p.send(handshake)
			x := <-b.x
			x.Post(func() { _ = x.Send(&asgi.WebSocketClose{}) })
			synctest.Wait()
			p.wait(after(5*time.Second, over))
			came = p.came()
		})
		return came
	}, "101 1000 open", "101 1000 closed"},
	{"nethttp.Config.OutboxBytes", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p, _ := stalledPeer(b, 1025+over) // the last one finds all before it waiting
			came = fmt.Sprint(b.saw("websocket.disconnect"))
			p.Close()
		})
		return came
	}, "false", "true"},
	{"nethttp.Config.HighWatermark", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p, x := stalledPeer(b, 256+over)
			came = fmt.Sprint(onLoop(x, x.Congested))
			p.Close()
		})
		return came
	}, "false", "true"},
	{"nethttp.Config.LowWatermark", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p, x := stalledPeer(b, 257)
			for onLoop(x, x.Buffered) > 64<<10+1<<10*(over) { // by whole frames
				buf := make([]byte, 4+1<<10-pieceOverhead)
				if _, err := io.ReadFull(p, buf); err != nil {
					t.Error(err)
					break
				}
			}
			synctest.Wait()
			came = fmt.Sprint(b.saw("gale.writable"))
			p.Close()
		})
		return came
	}, "true", "false"},
	{"nethttp.Config.MailboxTasks", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p := b.dial(true)
			p.send(getText)
			x := <-b.x
			came = fmt.Sprint(onLoop(x, func() bool {
				for range 1<<16 - 1 + over {
					x.Post(func() {})
				}
				return x.Post(func() {})
			}))
			p.Close()
		})
		return came
	}, "true", "false"},
	{"nethttp.Config.WriteTimeout", func(t *testing.T, over int) (came string) {
		inBubble(t, answersAll, func(b *bubble) {
			p, _ := stalledPeer(b, 1)
			came = fmt.Sprint(b.sees("websocket.disconnect", after(30*time.Second, over)))
			p.Close()
		})
		return came
	}, "false", "true"},
	{"nethttp.Config.DrainTimeout", func(t *testing.T, over int) (came string) {
		ignores := func(asgi.Exchange, asgi.ReceiveEvent) {}
		inBubble(t, ignores, func(b *bubble) {
			p := b.dial(true)
			p.send(getText)
			b.stop()
			disconnected := b.sees("http.disconnect", after(10*time.Second, over))
			came = fmt.Sprint(b.saw("gale.drain"), disconnected)
			p.Close()
		})
		return came
	}, "true false", "true true"},
}

func TestDefaultLimits(t *testing.T) {
	shown := []string{
		"nethttp.Config.LifespanTimeout", // by asgi/internal/engine
		"nethttp.Config.MaxConns",        // by TestLimitOfFiles of cmd/gale
	}
	for _, limit := range defaultLimits {
		shown = append(shown, limit.field)
		t.Run(limit.field, func(t *testing.T) {
			if got := limit.run(t, 0); got != limit.within {
				t.Errorf("at the limit: %q, want %q", got, limit.within)
			}
			if got := limit.run(t, 1); got != limit.beyond {
				t.Errorf("beyond it: %q, want %q", got, limit.beyond)
			}
		})
	}
	for _, name := range limits.Names(t, "../..", "nethttp") {
		if !slices.Contains(shown, name) {
			t.Errorf("%s: nothing shows its default", name)
		}
	}
}

// A negative limit is none.
func TestNoLimits(t *testing.T) {
	cfg, err := Config{Handler: asgi.HandlerFunc(nil), MaxTargetBytes: -1, MaxFields: -1, MaxBodyBytes: -1}.withDefaults()
	if err = errors.Join(err); err != nil || cfg.MaxTargetBytes < 1<<30 || cfg.MaxFields < 1<<30 || cfg.MaxBodyBytes < 1<<60 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

// hello is a text message of a client.
const hello = "\x81\x81\x00\x00\x00\x00m"

// A silent peer is pinged, and closed with 1011 if nothing comes; any byte of it
// counts as life.
func TestSilence(t *testing.T) {
	inBubble(t, answersAll, func(b *bubble) {
		p := b.dial(true)
		p.send(handshake)
		for pings := range 8 {
			for strings.Count(p.came(), "ping") <= pings && strings.HasSuffix(p.came(), "open") {
				p.wait(time.Second)
			}
			p.send(hello) // a message is as good as a pong
		}
		if came := p.came(); came != "101"+strings.Repeat(" ping", 8)+" open" {
			t.Errorf("a peer that answers gets %s", came)
		}
		p.wait(time.Minute)
		if came := p.came(); came != "101"+strings.Repeat(" ping", 9)+" 1011 closed" {
			t.Errorf("one that does not gets %s", came)
		}
	})
}

// It is not the peer that is silent when we do not read.
func TestPauseIsNoSilence(t *testing.T) {
	var messages int
	app := func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.WebSocketReceive); ok {
			if messages++; messages == 1 {
				x.Pause()
			}
		}
		answersAll(x, ev)
	}
	inBubble(t, app, func(b *bubble) {
		p := b.dial(true)
		p.send(handshake)
		x := <-b.x
		p.send(hello)
		go p.send(hello + hello) // nobody takes it yet
		p.wait(time.Hour)
		if came := p.came(); messages != 1 || strings.Contains(came, "1011") || strings.HasSuffix(came, "closed") {
			t.Errorf("paused: %d messages, %s", messages, came)
		}
		x.Post(x.Resume)
		synctest.Wait()
		if came := p.came(); messages != 3 || strings.HasSuffix(came, "closed") {
			t.Errorf("resumed: %d messages, %s", messages, came)
		}
		p.Close()
	})
}
