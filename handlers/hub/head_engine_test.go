package hub_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/longpoll"
	"github.com/gale-server/gale/handlers/sse"
)

// What a connection keeps of the head of its request is less than 1 KiB, however
// large that was, on every transport. It is so on the event loop: an http.Server
// keeps its Request, with all fields, until the handler returns.
func TestHeadsAreNotKept(t *testing.T) {
	const conns, most = 100, 1024
	many := new(strings.Builder)
	for i := range 80 {
		fmt.Fprintf(many, "X-%d: %s\r\n", i, strings.Repeat("x", 700))
	}
	heads := map[string]string{
		"one long field": "Cookie: " + strings.Repeat("c", 56<<10) + "\r\n",
		"many fields":    many.String(),
	}
	for name, transport := range map[string]struct{ head, body, want string }{
		"websocket": {
			head: "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + socket.Subprotocol + "\r\n",
			body: maskedText(`[{"id":1,"connect":{}},{"id":2,"subscribe":{"channel":"a"}}]`),
			want: `"subscribed"`,
		},
		"stream": {head: "GET /sse?ch=a HTTP/1.1\r\nHost: h\r\nOrigin: http://o.example\r\n", want: "event: subscribed"},
		"poll":   {head: "GET /poll?ch=a&wait=50&after=%s HTTP/1.1\r\nHost: h\r\nOrigin: http://o.example\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := serveHeads(t)
			r, err := h.PublishOne(hub.Publication{Channel: "a", Data: []byte("1")})
			if err != nil {
				t.Fatal(err)
			}
			transport.head = strings.Replace(transport.head, "%s", fmt.Sprintf("%s:%d", r.Epoch, r.Offset), 1)
			n := 0
			open := func(fields string) {
				n++
				c, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if _, err := io.WriteString(c, transport.head+fields+"\r\n"+transport.body); err != nil {
					t.Fatal(err)
				}
				readUntil(t, c, transport.want)
				for end := time.Now().Add(30 * time.Second); h.Stats().Subscriptions < n; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d subscriptions of %d", h.Stats().Subscriptions, n)
					}
				}
			}
			cost := func(fields string) int64 {
				open(fields) // with it comes what is made once
				before := heap()
				for range conns {
					open(fields)
				}
				return (int64(heap()) - int64(before)) / conns
			}
			bare := cost("")
			for what, fields := range heads {
				if more := cost(fields) - bare; more > most {
					t.Errorf("%s: %d bytes beyond the %d of a bare request", what, more, bare)
				}
			}
		})
	}
}

// serveHeads serves a hub on the event loop.
func serveHeads(t *testing.T) (*enginetest.Server, *hub.Hub) {
	h := newHub(t, hub.Config{})
	anyone := hub.Anyone(hub.Everything)
	mux := new(handlers.Mux)
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: anyone})
	if err != nil {
		t.Fatal(err)
	}
	streams, err := sse.New(sse.Config{Hub: h, Authenticate: anyone, AllowedOrigins: []string{"http://o.example"}})
	if err != nil {
		t.Fatal(err)
	}
	polls, err := longpoll.New(longpoll.Config{Hub: h, Authenticate: anyone, AllowedOrigins: []string{"http://o.example"}})
	if err != nil {
		t.Fatal(err)
	}
	mux.WebSocket("/ws", sockets)
	mux.HTTP("/sse", streams)
	mux.HTTP("/poll", polls)
	srv, err := server.New(server.Config{Handler: mux, Logger: enginetest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.Serve(t, srv), h
}

// readUntil reads until something has come; "" is nothing.
func readUntil(t *testing.T, c net.Conn, want string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for p := make([]byte, 4<<10); !strings.Contains(string(got), want); {
		n, err := c.Read(p)
		if err != nil {
			t.Fatalf("%v behind %q", err, got)
		}
		got = append(got, p[:n]...)
	}
}

// maskedText is a frame of a client, with a mask of zeros.
func maskedText(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}
