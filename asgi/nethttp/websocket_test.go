package nethttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/websocket"
)

func echo(t testing.TB) *events {
	return accepting(t, func(x asgi.Exchange, ev *asgi.WebSocketReceive) {
		send(t, x, &asgi.WebSocketSend{Kind: ev.Kind, Data: ev.Data})
	})
}

// The limit counts what a message is after its inflation, and refuses what is
// declared before it is read.
func TestMessageLimit(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		t.Run(fmt.Sprintf("compression=%v", compressed), func(t *testing.T) {
			h := echo(t)
			addr := serve(t, nethttp.Config{Handler: h, WebSocket: websocket.Config{MaxMessageBytes: 100_000}, Compression: compressed})
			dialer := gorilla.Dialer{EnableCompression: true}
			ws, res, err := dialer.Dial("ws://"+addr+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			ws.SetReadDeadline(time.Now().Add(waitLimit))
			if got := res.Header.Get("Sec-Websocket-Extensions") != ""; got != compressed {
				t.Errorf("compression is %v", got)
			}
			message := bytes.Repeat([]byte("x"), 100_000)
			if err := ws.WriteMessage(gorilla.TextMessage, message); err != nil {
				t.Fatal(err)
			}
			if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, message) {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
			if err := ws.WriteMessage(gorilla.BinaryMessage, append(message, 'x')); err != nil {
				t.Fatal(err)
			}
			if got := closeCode(t, ws); got != 1009 {
				t.Errorf("close code %d, want 1009", got)
			}
			h.wait(t, "websocket.disconnect 1006")
		})
	}
}

// Text fails with 1007 as soon as it can never become valid.
func TestInvalidText(t *testing.T) {
	const handshake = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	const invalidData = "\x03\xef" // 1007
	addr := serve(t, nethttp.Config{Handler: echo(t)})
	for name, c := range map[string]struct{ frames, answer string }{
		"whole":               {"\x81\x83\x00\x00\x00\x00a\xffb", invalidData},
		"before the end":      {"\x81\x84\x00\x00\x00\x00a\xff", invalidData},
		"surrogate":           {"\x81\x84\x00\x00\x00\x00\xed\xa0", invalidData},
		"half at the end":     {"\x01\x82\x00\x00\x00\x00a\xc3\x80\x80\x00\x00\x00\x00", invalidData},
		"split over frames":   {"\x01\x82\x00\x00\x00\x00a\xc3\x80\x81\x00\x00\x00\x00\xa9", "\x81\x03a\xc3\xa9"},
		"replacement is text": {"\x81\x83\x00\x00\x00\x00\xef\xbf\xbd", "\x81\x03\xef\xbf\xbd"},
		"binary may be all":   {"\x82\x81\x00\x00\x00\x00\xff", "\x82\x01\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := dial(t, addr, handshake+c.frames)
			if _, err := http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
			first, err := r.Peek(3)
			if err != nil {
				t.Fatal(err)
			}
			if first[0] == 0x88 { // its code is what counts
				r.Discard(2)
			}
			got := make([]byte, len(c.answer))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != c.answer {
				t.Errorf("got %x, %v, want %x", got, err, c.answer)
			}
		})
	}
}

// A peer that sends and never reads holds a bounded number of bytes, and one
// that goes on reading gets everything.
func TestWebSocketBackPressure(t *testing.T) {
	const n, size, high = 2000, 16 << 10, 64 << 10
	var most int
	data := make([]byte, size)
	h := accepting(t, func(x asgi.Exchange, ev *asgi.WebSocketReceive) {
		send(t, x, &asgi.WebSocketSend{Kind: asgi.Binary, Data: data})
		most = max(most, x.Buffered())
	})
	ws := dialWebSocket(t, serve(t, nethttp.Config{Handler: h, HighWatermark: high}))
	sent := make(chan error, 1)
	go func() { // ends when all is sent
		for range n {
			if err := ws.WriteMessage(gorilla.BinaryMessage, data); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	select {
	case <-sent:
		t.Error("the peer could send all of it without reading")
	case <-time.After(200 * time.Millisecond):
	}
	for i := range n {
		if _, got, err := ws.ReadMessage(); err != nil || len(got) != size {
			t.Fatal(i, len(got), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""), time.Now().Add(waitLimit))
	closeCode(t, ws)
	h.wait(t, "websocket.disconnect 1000")
	if most > high+2*size {
		t.Errorf("%d bytes waited, with a high watermark of %d", most, high)
	}
}

// What was sent before the close arrives, even at a peer slower than
// CloseTimeout; one that never answers is dropped.
func TestCloseTimeout(t *testing.T) {
	h := accepting(t, func(x asgi.Exchange, ev *asgi.WebSocketReceive) {
		for range 200 {
			send(t, x, &asgi.WebSocketSend{Kind: asgi.Binary, Data: make([]byte, 64<<10)})
		}
		send(t, x, &asgi.WebSocketClose{Code: 4000})
	})
	addr := serve(t, nethttp.Config{Handler: h, CloseTimeout: 30 * time.Millisecond, OutboxBytes: 64 << 20})
	ws := dialWebSocket(t, addr)
	ws.SetCloseHandler(func(int, string) error { return nil })
	ws.WriteMessage(gorilla.TextMessage, nil)
	h.wait(t, "websocket.disconnect 1006") // the peer has not closed in time
	for i := range 200 {
		if _, got, err := ws.ReadMessage(); err != nil || len(got) != 64<<10 {
			t.Fatal(i, len(got), err)
		}
	}
	if got := closeCode(t, ws); got != 4000 {
		t.Errorf("close code %d", got)
	}
}

// A client may leave at any point of a WebSocket's life.
func TestWebSocketDisconnectAnywhere(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	for name, c := range map[string]struct {
		frames string
		accept bool
	}{
		"before accept": {"", false},
		"idle":          {"", true},
		"in a header":   {"\x81", true},
		"in a frame":    {"\x81\x84\x00\x00\x00\x00ab", true},
		"in a message":  {"\x01\x82\x00\x00\x00\x00ab", true},
	} {
		t.Run(name, func(t *testing.T) {
			h := accepting(t, nil)
			if !c.accept {
				h.on = nil
			}
			conn, r := dial(t, serve(t, nethttp.Config{Handler: h}), head)
			h.wait(t, "websocket.connect")
			if c.accept {
				if _, err := http.ReadResponse(r, nil); err != nil {
					t.Fatal(err)
				}
				io.WriteString(conn, c.frames)
			}
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			h.wait(t, "websocket.disconnect 1006")
		})
	}
}

// Pings are answered while the application is busy elsewhere, and messages to
// many loops cross.
func TestMessagesCross(t *testing.T) {
	h := echo(t)
	addr := serve(t, nethttp.Config{Handler: asgi.Serial(h, nil)})
	done := make(chan error)
	for range 8 {
		ws := dialWebSocket(t, addr)
		go func() { // ends with its messages
			for i := range 200 {
				want := fmt.Sprint(i)
				ws.WriteControl(gorilla.PingMessage, []byte(want), time.Now().Add(waitLimit))
				if err := ws.WriteMessage(gorilla.TextMessage, []byte(want)); err != nil {
					done <- err
					return
				}
				if _, got, err := ws.ReadMessage(); err != nil || string(got) != want {
					done <- fmt.Errorf("got %q, %v", got, err)
					return
				}
			}
			done <- ws.Close()
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A handler off the loop that does not come to its end holds up the answer to a
// close for CloseTimeout.
func TestCloseOvertakesWhoBlocks(t *testing.T) {
	free := make(chan struct{})
	h := accepting(t, func(asgi.Exchange, *asgi.WebSocketReceive) { <-free })
	ws := dialWebSocket(t, serve(t, nethttp.Config{Handler: asgi.Serial(h, nil), CloseTimeout: 30 * time.Millisecond}))
	ws.WriteMessage(gorilla.TextMessage, nil)
	ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(4001, ""), time.Now().Add(waitLimit))
	if got := closeCode(t, ws); got != 4001 {
		t.Errorf("close code %d", got)
	}
	close(free)
	h.wait(t, "websocket.disconnect 4001")
}
