package websocket

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	gorilla "github.com/gorilla/websocket"
)

// serveEcho is the handshake and an echo over one connection, until it closes.
func serveEcho(conn net.Conn) error {
	defer conn.Close()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	request := Request{Method: r.Method, Minor: r.ProtoMinor, Headers: []asgi.Header{{Name: "host", Value: r.Host}}}
	for name, values := range r.Header {
		for _, value := range values {
			request.Headers = append(request.Headers, asgi.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	u, err := CheckUpgrade(&request)
	if err != nil {
		return err
	}
	headers, err := u.ResponseHeaders(nil, "echo", []asgi.Header{{Name: "x-served-by", Value: "echo"}})
	if err != nil {
		return err
	}
	head := "HTTP/1.1 101 Switching Protocols\r\n"
	for _, h := range headers {
		head += h.Name + ": " + h.Value + "\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		return err
	}
	var server echo
	p := make([]byte, 4096)
	for open := true; open; {
		n, err := in.Read(p)
		if err != nil {
			return err
		}
		if open, err = server.read(p[:n]); err != nil {
			return err
		}
		if len(server.out) == 0 {
			continue // a pipe would wait for a reader even of nothing
		}
		if _, err := conn.Write(server.out); err != nil {
			return err
		}
		server.out = server.out[:0]
	}
	return nil
}

// TestGorillaClient lets a client that nobody here wrote speak to an echo
// server made of this package.
func TestGorillaClient(t *testing.T) {
	local, remote := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- serveEcho(local) }() // ends when the client closes; waited for below
	t.Cleanup(func() { remote.Close() })
	dialer := gorilla.Dialer{
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return remote, nil },
		Subprotocols:   []string{"other", "echo"},
	}
	client, response, err := dialer.Dial("ws://example.com/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	if client.Subprotocol() != "echo" || response.Header.Get("X-Served-By") != "echo" {
		t.Errorf("subprotocol %q, headers %v", client.Subprotocol(), response.Header)
	}
	for _, size := range []int{0, 1, 125, 126, 4096, 65535, 65536, 1 << 20} {
		for kind, data := range map[int]string{gorilla.TextMessage: repeat("aé", size/3*3), gorilla.BinaryMessage: repeat("\xfe", size)} {
			if err := roundTrip(client, kind, data); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
		}
	}
	checkPingAndClose(t, client)
	if err := <-served; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// roundTrip writes from a goroutine of its own, which ends with the write: a
// pipe holds nothing, so the echo needs a reader while the client still writes.
func roundTrip(client *gorilla.Conn, kind int, data string) error {
	written := make(chan error, 1)
	go func() { written <- client.WriteMessage(kind, []byte(data)) }()
	back, got, err := client.ReadMessage()
	if err := <-written; err != nil {
		return err
	}
	if err == nil && (back != kind || string(got) != data) {
		err = fmt.Errorf("got kind %d, %d bytes", back, len(got))
	}
	return err
}

func checkPingAndClose(t *testing.T, client *gorilla.Conn) {
	t.Helper()
	var pong string
	client.SetPongHandler(func(data string) error {
		pong = data
		return nil
	})
	written := make(chan error, 1)
	go func() {
		if err := client.WriteMessage(gorilla.PingMessage, []byte("alive?")); err != nil {
			written <- err
			return
		}
		bye := gorilla.FormatCloseMessage(gorilla.CloseGoingAway, "bye")
		written <- client.WriteMessage(gorilla.CloseMessage, bye)
	}()
	_, _, err := client.ReadMessage()
	if !gorilla.IsCloseError(err, gorilla.CloseGoingAway) || pong != "alive?" {
		t.Errorf("pong %q, end %v", pong, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
