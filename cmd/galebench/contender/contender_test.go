package contender

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const patience = time.Minute

// start starts a contender. It serves until the tests are over.
func start(t *testing.T, c Contender) string {
	t.Helper()
	addr, err := c.Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

// eachThatSpeaks runs a test for all contenders of a protocol.
func eachThatSpeaks(t *testing.T, p Protocol, test func(t *testing.T, addr string)) {
	for _, c := range contenders {
		if c.CanSpeak(p) {
			t.Run(c.Name, func(t *testing.T) { test(t, start(t, c)) })
		}
	}
}

// What a comparison takes for granted: all answer with the same fields.
func TestHTTP(t *testing.T) {
	eachThatSpeaks(t, HTTP, func(t *testing.T, addr string) {
		client := http.Client{Timeout: patience}
		defer client.CloseIdleConnections()
		resp, err := client.Get("http://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != Body {
			t.Errorf("status %d, body %q, error %v", resp.StatusCode, body, err)
		}
		if resp.ContentLength != int64(len(Body)) || resp.Close || len(resp.Header) != 4 || resp.Header.Get("Date") == "" ||
			resp.Header.Get("Content-Type") != ContentType || resp.Header.Get("Server") != ServerName {
			t.Errorf("the header is %v", resp.Header)
		}
	})
}

func TestWebSocket(t *testing.T) {
	eachThatSpeaks(t, WebSocket, func(t *testing.T, addr string) {
		c, _, err := websocket.DefaultDialer.Dial("ws://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for _, want := range [][]byte{[]byte("one"), {0}, bytes.Repeat([]byte("large"), 50000)} {
			if err := c.WriteMessage(websocket.BinaryMessage, want); err != nil {
				t.Fatal(err)
			}
			kind, got, err := c.ReadMessage()
			if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes came back as kind %d, %d bytes, error %v", len(want), kind, len(got), err)
			}
		}
	})
}

// A client that sends more than all buffers hold before it reads gets back what
// it sent.
func TestRaw(t *testing.T) {
	eachThatSpeaks(t, Raw, func(t *testing.T, addr string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, 32<<20)
		for i := range sent {
			sent[i] = byte(i % 251)
		}
		written := make(chan int, 1)
		_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, _ := c.Write(sent) // until both directions are full
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		go func() { // ends with the write, which the deadline bounds
			m, _ := c.Write(sent[n:])
			written <- n + m
		}()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("not what was sent: error %v", err)
		}
		if n := <-written; n != len(sent) {
			t.Errorf("%d of %d bytes were written", n, len(sent))
		}
	})
}

func TestLookup(t *testing.T) {
	for _, name := range Names() {
		if c, err := Lookup(name); err != nil || c.Name != name {
			t.Errorf("%s: %q, error %v", name, c.Name, err)
		}
	}
	if _, err := Lookup("jetty"); err == nil {
		t.Error("a contender that does not exist was found")
	}
}
