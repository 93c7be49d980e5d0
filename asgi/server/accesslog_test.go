package server

import (
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop/looptest"
)

// One record for each request and WebSocket, with what was really sent.
func TestAccessLog(t *testing.T) {
	sized := func(n int) func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		return func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.HTTPRequest); ok {
				respond(t, x, 200, strings.Repeat("z", n))
			}
		}
	}
	start := func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); ok {
			must(t, x.Send(&asgi.HTTPResponseStart{Status: 200}))
		}
	}
	post := "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n"
	none := func(*looptest.Conn) {}
	for _, test := range []struct {
		name  string
		on    func(x asgi.Exchange, ev asgi.ReceiveEvent)
		input string
		then  func(c *looptest.Conn)
		want  string
	}{
		{"small", sized(5), get, none, "GET /p 200 5"},
		{"query", sized(5), strings.Replace(get, "/p", "/%70?secret", 1), none, "GET /%70 200 5"},
		{"large", sized(100_000), get, none, "GET /p 200 100000"},
		{"two", sized(1), get + get, none, "GET /p 200 1|GET /p 200 1"},
		{"HEAD", sized(5), strings.Replace(get, "GET", "HEAD", 1), none, "HEAD /p 200 0"},
		{"failed", func(x asgi.Exchange, _ asgi.ReceiveEvent) { x.End(errors.New("x")) }, get, none, "GET /p 500 0"},
		{"gone before the response", start, get, (*looptest.Conn).Reset, "GET /p 0 0"},
		{"slow body", func(asgi.Exchange, asgi.ReceiveEvent) {}, post, func(c *looptest.Conn) { c.Advance(time.Minute) }, "POST /p 408 0"},
		{"body cut", start, post, (*looptest.Conn).HalfClose, "POST /p 400 0"},
		{"malformed", start, "GET /\x1b[31m HTTP/1.1\r\nHost: h\r\n\r\n", none, "- - 400 0"},
		{"no request at all", start, "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", none, "- - 400 0"},
		{"long target", start, "GET /" + strings.Repeat("x", 17<<10), none, "- - 414 0"},
		{"large head", start, get[:len(get)-2] + "x: " + strings.Repeat("x", 65<<10), none, "- - 431 0"},
		{"unknown coding", start, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", none, "- - 501 0"},
		{"slow head", start, get[:10], func(c *looptest.Conn) { c.Advance(time.Minute) }, "- - 408 0"},
		{"nothing", start, "", func(c *looptest.Conn) { c.Advance(time.Minute) }, ""},
		{"idle", sized(5), get, func(c *looptest.Conn) { c.Advance(2 * time.Minute) }, "GET /p 200 5"},
		{"malformed after another", sized(5), get + "GET\r\n\r\n" + get, none, "GET /p 200 5|- - 400 0"},
		{"malformed chunk", start, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", none, "POST /p 400 0"},
		{"malformed chunk after the answer", func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if e, ok := ev.(*asgi.HTTPRequest); ok && e.MoreBody {
				respond(t, x, 200, "early")
			}
		}, "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n-\r\nx\r\n", none, "POST /p 200 5"},
		{"bad origin", start, strings.Replace(handshake, "Host: h", "Host: h\r\nOrigin: http://o", 1), none, "GET /ws 403 0"},
		{"websocket", accepts(t).on, handshake, func(c *looptest.Conn) { c.Feed(closeFrame(3001)) }, "WEBSOCKET /ws 3001 0"},
		{"websocket lost", accepts(t).on, handshake, (*looptest.Conn).Reset, "WEBSOCKET /ws 1006 0"},
		{"websocket refused", func(x asgi.Exchange, ev asgi.ReceiveEvent) { _ = x.Send(&asgi.WebSocketClose{}) }, handshake, none, "WEBSOCKET /ws 403 0"},
		{"websocket failed", func(x asgi.Exchange, ev asgi.ReceiveEvent) { x.End(oddStatus(503)) }, handshake, none, "WEBSOCKET /ws 503 0"},
		{"websocket gone early", func(asgi.Exchange, asgi.ReceiveEvent) {}, handshake, (*looptest.Conn).Reset, "WEBSOCKET /ws 0 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := new(strings.Builder)
			c := newBench(t, Config{Handler: &record{on: test.on}, AccessLog: slog.New(slog.NewTextHandler(log, nil))}).dial()
			c.Feed(test.input)
			test.then(c)
			if !c.PeerDone() {
				c.PeerClose()
			}
			var got []string
			for _, m := range accessLine.FindAllStringSubmatch(log.String(), -1) {
				got = append(got, strings.Join(m[1:], " "))
			}
			if g := strings.Join(got, "|"); g != test.want {
				t.Fatalf("got %q, want %q\n%s", g, test.want, log)
			}
			if test.name == "slow head" && !strings.Contains(log.String(), "took=10") {
				t.Errorf("the time of the head is not told: %s", log)
			}
		})
	}
}

var accessLine = regexp.MustCompile(`(?m)msg=access client=192\.0\.2\.1 method=(\S+) path=(\S+) status=(\d+) bytes=(\d+) took=\S+$`)
