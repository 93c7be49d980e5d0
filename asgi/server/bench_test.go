package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// The benchmarks hand bytes straight to the Protocol of a conn whose writes go
// nowhere: what is measured is the bridge, its machines and the application.

const browserGet = "GET /chat/room?id=42 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=0123456789abcdef\r\n\r\n"

// sink is a Conn whose peer takes everything.
type sink struct {
	eventloop.Conn
	buf []byte
}

func (s *sink) Reserve(n int) []byte { return s.buf[:0] }
func (s *sink) Commit(p []byte) {
	if cap(p) > cap(s.buf) {
		s.buf = p[:0]
	}
}
func (s *sink) Write([]byte)                              {}
func (s *sink) Buffered() int                             { return 0 }
func (s *sink) Congested() bool                           { return false }
func (s *sink) WriteImmutable(p []byte)                   { s.Write(p) }
func (s *sink) WriteLent(p []byte)                        { s.Write(p) }
func (s *sink) WriteBuffer(p []byte, _ *eventloop.Buffer) { s.Write(p) }
func (s *sink) Reclaim()                                  {}
func (s *sink) ReadInto([]byte)                           {}

var (
	helloStart = &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{{Name: "content-type", Value: "text/plain"}}}
	helloBody  = &asgi.HTTPResponseBody{Body: []byte("Hello, world!")}
)

type hello struct{ x asgi.Exchange }

func (h hello) Receive(ev asgi.ReceiveEvent) {
	if _, ok := ev.(*asgi.HTTPRequest); ok {
		_ = h.x.Send(helloStart)
		_ = h.x.Send(helloBody)
	}
}

var helloHandler = asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver { return hello{x} })

func helloApp(ctx context.Context, _ *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
	if err := send(ctx, helloStart); err != nil {
		return err
	}
	return send(ctx, helloBody)
}

type echo struct {
	x     asgi.Exchange
	reply asgi.WebSocketSend
}

func (e *echo) Receive(ev asgi.ReceiveEvent) {
	switch m := ev.(type) {
	case *asgi.WebSocketConnect:
		_ = e.x.Send(&asgi.WebSocketAccept{})
	case *asgi.WebSocketReceive:
		e.reply.Kind, e.reply.Data = m.Kind, m.Data
		_ = e.x.Send(&e.reply)
	}
}

var echoHandler = asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver { return &echo{x: x} })

func echoApp(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch e := ev.(type) {
		case *asgi.WebSocketConnect:
			err = send(ctx, &asgi.WebSocketAccept{})
		case *asgi.WebSocketReceive:
			err = send(ctx, &asgi.WebSocketSend{Kind: e.Kind, Data: e.Data})
		case *asgi.WebSocketDisconnect:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func benchConn(b *testing.B, h asgi.Handler) *conn {
	bench := newBench(b, Config{Handler: h, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	var c *conn
	bench.Open(func(sock eventloop.Conn) eventloop.Protocol {
		c = bench.w.open(&sink{Conn: sock, buf: make([]byte, 0, 4096)}).(*conn)
		return c
	})
	return c
}

func BenchmarkHTTP(b *testing.B) {
	for name, h := range map[string]asgi.Handler{"event": helloHandler, "coroutine": asgi.Coroutine(helloApp)} {
		b.Run(name, func(b *testing.B) {
			c := benchConn(b, h)
			request := []byte(browserGet)
			b.ReportAllocs()
			for b.Loop() {
				c.Data(request)
			}
		})
	}
}

// BenchmarkWebSocketEcho reads one message at a time, or 16 that came together;
// an operation is one message.
func BenchmarkWebSocketEcho(b *testing.B) {
	for name, h := range map[string]asgi.Handler{"event": echoHandler, "coroutine": asgi.Coroutine(echoApp)} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, depth), func(b *testing.B) {
				c := benchConn(b, h)
				b.Cleanup(c.EOF)
				c.Data([]byte(handshake))
				message := []byte(frame(2, strings.Repeat("x", 125)))
				batch := bytes.Repeat(message, depth)
				b.ReportAllocs()
				for i := 0; i < b.N; i += depth {
					c.Data(batch) // unmasked and masked again in turn
					for at := 1; at < len(batch); at += len(message) {
						batch[at] |= 0x80
					}
				}
			})
		}
	}
}
