package server

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
	"github.com/gale-server/gale/internal/limits"
)

func TestLimitsAreDocumented(t *testing.T) {
	cfg, err := Config{Handler: answers(t)}.withDefaults()
	must(t, err)
	limits.Check(t, limits.Config{Package: "server", Root: "../..", Defaults: cfg, Others: []string{
		"Handler", "Logger", "AccessLog", "Name", "RootPath", "Headers", "TrustedProxies", "AllowedOrigins", "HTTP", "WebSocket", "Loop", "HalfClose", "Strict",
	}})
	limits.Check(t, limits.Config{Package: "eventloop", Root: "../..", Dir: "../../eventloop",
		Defaults: looptest.NewLoop(t, eventloop.Config{}).Config(),
		Derived:  []string{"MaxConns"}, Others: []string{"Open", "Loops", "Refusal", "Logger"}})
}

// late is more than a timer of a loop may be late.
const late = 20 * time.Millisecond

// after is d, or a little less when over is 0 and more when it is 1.
func after(d time.Duration, over int) time.Duration { return d - late + time.Duration(2*over)*late }

// defaultLimits shows each default: run comes to the limit, or just beyond it
// when over is 1, and returns what came of it.
var defaultLimits = []struct {
	field          string
	run            func(t *testing.T, over int) string
	within, beyond string
}{
	{"http1.Config.MaxHeadBytes", func(t *testing.T, over int) string {
		const line, end = "GET /p HTTP/1.1\r\nHost: h\r\nx: ", "\r\n\r\n"
		return fed(t, line+strings.Repeat("x", 64<<10-len(line+end)+over)+end)
	}, "200 open", "431 closed"},
	{"http1.Config.MaxTargetBytes", func(t *testing.T, over int) string {
		return fed(t, "GET /"+strings.Repeat("x", 16<<10-1+over)+" HTTP/1.1\r\nHost: h\r\n\r\n")
	}, "200 open", "414 closed"},
	{"http1.Config.MaxFields", func(t *testing.T, over int) string {
		return fed(t, "GET / HTTP/1.1\r\nHost: h\r\n"+strings.Repeat("x: y\r\n", 99+over)+"\r\n")
	}, "200 open", "431 closed"},
	{"http1.Config.MaxTrailerBytes", func(t *testing.T, over int) string {
		return fed(t, chunked+"0\r\nx: "+strings.Repeat("x", 8<<10-len("x: \r\n")+over)+"\r\n\r\n")
	}, "200 open", "431 closed"},
	{"http1.Config.MaxChunkExtensionBytes", func(t *testing.T, over int) string {
		return fed(t, chunked+"1;"+strings.Repeat("x", 255+over)+"\r\n-\r\n0\r\n\r\n")
	}, "200 open", "400 closed"},
	{"http1.Config.MaxBodyExtensionBytes", func(t *testing.T, over int) string {
		full := strings.Repeat("1;"+strings.Repeat("x", 255)+"\r\n-\r\n", 63)
		return fed(t, chunked+full+"1;"+strings.Repeat("x", 253+over)+"\r\n-\r\n0;x\r\n\r\n")
	}, "200 open", "400 closed"},
	{"http1.Config.MaxBodyBytes", func(t *testing.T, over int) string { // declared
		return fed(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 1<<30+over))
	}, "open", "413 closed"},
	{"http1.Config.MaxBodyBytes", func(t *testing.T, over int) string { // in chunks
		return fed(t, fmt.Sprintf("%s1\r\n-\r\n%x\r\n", chunked, 1<<30-1+over))
	}, "open", "413 closed"},
	{"http1.Config.MaxDrainBytes", func(t *testing.T, over int) string {
		h := &record{}
		c := newBench(t, Config{Handler: asgi.HandlerFunc(func(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			respond(t, x, 200, "ok") // before the body
			return h
		})}).dial()
		n := 64<<10 + over
		c.Feed(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", n))
		c.Feed(strings.Repeat("x", n) + get)
		return came(c)
	}, "200 200 open", "200 closed"},
	{"server.Config.HeadTimeout", func(t *testing.T, over int) string {
		return fed(t, get[:10], after(10*time.Second, over))
	}, "open", "408 closed"},
	{"server.Config.HeadTimeout", func(t *testing.T, over int) string { // nothing came
		return fed(t, "", after(10*time.Second, over))
	}, "open", "closed"},
	{"server.Config.KeepAliveTimeout", func(t *testing.T, over int) string {
		return fed(t, get, after(75*time.Second, over))
	}, "200 open", "200 closed"},
	{"server.Config.MinBodyRate", func(t *testing.T, over int) string {
		// A timer may be late, and a few bytes more are due then.
		c := newBench(t, Config{Handler: answers(t)}).dial()
		c.Feed("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n")
		c.Feed(strings.Repeat("x", 2405-6*over))
		c.Advance(10*time.Second + late)
		return came(c)
	}, "open", "408 closed"},
	{"server.Config.BodyRatePeriod", func(t *testing.T, over int) string {
		return fed(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n", after(10*time.Second, over))
	}, "open", "408 closed"},
	{"websocket.Config.MaxMessageBytes", func(t *testing.T, over int) string {
		const rest = 16<<20 - 1 // after a fragment of one byte
		return fed(t, handshake+"\x02\x81\x00\x00\x00\x00-\x80\xff"+string(binary.BigEndian.AppendUint64(nil, uint64(rest+over)))+"\x00\x00\x00\x00")
	}, "101 open", "101 1009 closed"},
	{"server.Config.PingInterval", func(t *testing.T, over int) string {
		return fed(t, handshake, after(25*time.Second, over))
	}, "101 open", "101 ping open"},
	{"server.Config.PongTimeout", func(t *testing.T, over int) string {
		return fed(t, handshake, after(25*time.Second, 1), after(20*time.Second, over)-late)
	}, "101 ping open", "101 ping 1011 closed"},
	{"server.Config.CloseTimeout", func(t *testing.T, over int) string {
		h, c := webSocket(t)
		h.x.Post(func() { must(t, h.x.Send(&asgi.WebSocketClose{})) })
		c.Advance(after(5*time.Second, over))
		return came(c)
	}, "1000 open", "1000 closed"},
	{"server.Config.DepartTimeout", func(t *testing.T, over int) string {
		h, c := webSocket(t)
		h.x.Post(h.x.Pause)
		c.Run()
		c.Feed(frame(1, "unread"))
		c.PeerClose()
		c.Advance(after(time.Second, over))
		return h.take()
	}, "websocket.connect", "websocket.connect|websocket.disconnect"},
	{"server.Config.HeldBytes", func(t *testing.T, over int) string {
		b := newBench(t, Config{Handler: &record{}})
		b.w.hold(64<<20 + over)
		c := b.dial()
		c.Feed(get + strings.Repeat("x", 60<<10))
		return fmt.Sprint(c.Unread() > 0)
	}, "false", "true"},
	{"eventloop.Config.OutboxBytes", func(t *testing.T, over int) string {
		_, c := stalled(t, 1025+over) // the last one finds all before it waiting
		return came(c)
	}, "open", "dropped"},
	{"eventloop.Config.HighWatermark", func(t *testing.T, over int) string {
		h, _ := stalled(t, 256+over)
		return fmt.Sprint(h.x.Congested())
	}, "false", "true"},
	{"eventloop.Config.LowWatermark", func(t *testing.T, over int) string {
		h, c := stalled(t, 257)
		h.take()
		c.Accept(257<<10 - 64<<10 - over)
		return h.take()
	}, "gale.writable", ""},
	{"eventloop.Config.WriteTimeout", func(t *testing.T, over int) string {
		_, c := stalled(t, 1)
		c.Advance(after(30*time.Second, over))
		return came(c)
	}, "open", "dropped"},
	{"eventloop.Config.CloseTimeout", func(t *testing.T, over int) string {
		c := newBench(t, Config{Handler: answers(t)}).dial()
		c.Stall()
		c.Feed(strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		for range 2 { // it takes a little, so that the write does not time out
			c.Advance(20 * time.Second)
			c.Accept(1)
		}
		c.Advance(after(20*time.Second, over))
		c.Output()
		return came(c)
	}, "open", "dropped"},
	{"eventloop.Config.LingerTimeout", func(t *testing.T, over int) string {
		c := lingering(t)
		c.Advance(after(5*time.Second, over))
		ended, _ := c.Closed()
		return fmt.Sprint(ended)
	}, "false", "true"},
	{"eventloop.Config.LingerBytes", func(t *testing.T, over int) string {
		c := lingering(t)
		mib := strings.Repeat("x", 1<<20)
		for range 64 {
			c.Feed(mib)
		}
		c.Feed(mib[:over])
		ended, _ := c.Closed()
		return fmt.Sprint(ended)
	}, "false", "true"},
}

func TestDefaultLimits(t *testing.T) {
	for _, limit := range defaultLimits {
		t.Run(limit.field, func(t *testing.T) {
			if got := limit.run(t, 0); got != limit.within {
				t.Errorf("at the limit: %q, want %q", got, limit.within)
			}
			if got := limit.run(t, 1); got != limit.beyond {
				t.Errorf("beyond it: %q, want %q", got, limit.beyond)
			}
		})
	}
	elsewhere := []string{
		"eventloop.Config.MaxConns", "eventloop.Config.ReadBytesPerTurn", "eventloop.Config.WriteBytesPerTurn", "eventloop.Config.QuietBytesPerTurn",
		"eventloop.Config.MailboxTasks", "eventloop.Config.BlockedAfter", // eventloop
		"server.Config.LifespanTimeout", // asgi/internal/engine
		"server.Config.DrainTimeout",    // TestDefaultDrainTimeout
		"server.Config.FileReaders",     // TestFileReaders
	}
	for _, name := range limits.Names(t, "../..", "server", "http1", "websocket", "eventloop") {
		shown := slices.Contains(elsewhere, name)
		for _, limit := range defaultLimits {
			shown = shown || limit.field == name
		}
		if !shown {
			t.Errorf("%s: nothing shows its default", name)
		}
	}
}

const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

// fed gives input to a conn of a server with the default limits, waits for each
// of these times, and returns what came of it.
func fed(t *testing.T, input string, waits ...time.Duration) string {
	t.Helper()
	h := answers(t)
	request := h.on
	h.on = func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.WebSocketConnect); ok {
			must(t, x.Send(&asgi.WebSocketAccept{}))
			return
		}
		request(x, ev)
	}
	c := newBench(t, Config{Handler: h}).dial()
	c.Feed(input)
	for _, d := range waits {
		c.Advance(d)
	}
	return came(c)
}

// webSocket opens one on a server with the default limits.
func webSocket(t *testing.T) (*record, *looptest.Conn) {
	h := accepts(t)
	return h, connected(t, newBench(t, Config{Handler: h}))
}

// stalled has a WebSocket send so many KiB to a peer that takes nothing.
func stalled(t *testing.T, frames int) (*record, *looptest.Conn) {
	h, c := webSocket(t)
	c.Stall()
	for range frames { // each in a turn of its own
		h.x.Post(func() { _ = h.x.Send(&asgi.WebSocketSend{Kind: asgi.Binary, Data: make([]byte, 1<<10-4)}) })
		c.Run()
	}
	return h, c
}

// lingering is a conn that waits for its peer's end after its own.
func lingering(t *testing.T) *looptest.Conn {
	c := newBench(t, Config{Handler: answers(t)}).dial()
	c.Feed(strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
	wantClosing(t, c)
	return c
}

// came is what a conn has sent, statuses, pings and codes of close frames, and
// what has become of it.
func came(c *looptest.Conn) string {
	var words []string
	for out := c.Output(); out != ""; out = out[1:] {
		switch {
		case strings.HasPrefix(out, "HTTP/1.1 "):
			words = append(words, out[9:12])
		case out[0] == 0x88 && len(out) >= 4:
			words = append(words, fmt.Sprint(int(out[2])<<8|int(out[3])))
		case strings.HasPrefix(out, "\x89\x00"):
			words = append(words, "ping")
		}
	}
	ended, err := c.Closed()
	switch {
	case ended && err != nil:
		words = append(words, "dropped")
	case ended || c.WriteClosed():
		words = append(words, "closed")
	default:
		words = append(words, "open")
	}
	return strings.Join(words, " ")
}

// The deadline that a drain tells is the default's; TestDrainTimeout shows that
// it is kept.
func TestDefaultDrainTimeout(t *testing.T) {
	opened, drains := make(chan struct{}), make(chan *asgi.Drain, 1)
	h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		switch e := ev.(type) {
		case *asgi.HTTPRequest:
			close(opened)
		case *asgi.Drain:
			drains <- e
			respond(t, x, 200, "ok")
		}
	}}
	r := run(t, Config{Handler: h})
	c := r.dial()
	_, err := c.Write([]byte(get))
	must(t, err)
	<-opened
	before := time.Now()
	r.stop()
	d := <-drains
	if left := d.Deadline.Sub(before); left < 10*time.Second || d.Deadline.After(time.Now().Add(10*time.Second)) {
		t.Errorf("the drain has %v", left)
	}
	c.Close()
	must(t, r.wait())
}
