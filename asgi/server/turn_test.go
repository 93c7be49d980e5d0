package server

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// A peer's thousands of small requests and messages are handled some at a time:
// what others have posted to the loop runs between.
func TestEventsPerTurn(t *testing.T) {
	const sent = 3000
	for _, test := range []struct {
		name, before, one, answer string
	}{
		{"requests", "", get, "HTTP/1.1 204 "},
		{"messages", handshake, frame(2, "m"), "\x82\x01m"},
		{"bodies of small chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nc\r\n", ""},
		{"pings", handshake, frame(9, "p"), "\x8a\x01p"},
	} {
		t.Run(test.name, func(t *testing.T) {
			handled, most := 0, 0
			h := &record{on: func(x asgi.Exchange, ev asgi.ReceiveEvent) {
				switch e := ev.(type) {
				case *asgi.HTTPRequest:
					handled++
					if !e.MoreBody {
						respond(t, x, 204, "")
					}
				case *asgi.WebSocketConnect:
					must(t, x.Send(&asgi.WebSocketAccept{}))
				case *asgi.WebSocketReceive:
					handled++
					must(t, x.Send(&asgi.WebSocketSend{Kind: e.Kind, Data: e.Data}))
				default:
					return
				}
				before := handled
				x.Post(func() { most = max(most, handled-before) })
			}}
			b := newBench(t, Config{Handler: h})
			c := b.dial()
			c.Feed(test.before)
			c.Output()
			c.Feed(strings.Repeat(test.one, sent))
			if answers := strings.Count(c.Output(), test.answer); test.answer != "" && answers != sent {
				t.Errorf("%d answers", answers)
			}
			if handled != sent && test.answer != "\x8a\x01p" {
				t.Errorf("%d were handled", handled)
			}
			if most > 2*eventsPerCall {
				t.Errorf("%d were handled in one turn", most)
			}
			wantOpen(t, c)
		})
	}
}
