package contender

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/cmd/galebench/load"
)

// transferBytes is above what some peers allow by default.
const transferBytes = 17 << 20

// eachBulk runs a test for all contenders of a bulk protocol.
func eachBulk(t *testing.T, p Protocol, test func(t *testing.T, addr string)) {
	for _, c := range contenders {
		if !c.CanSpeak(p) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			addr, err := c.Start(Config{TransferBytes: transferBytes})
			if err != nil {
				t.Fatal(err)
			}
			test(t, addr.String())
		})
	}
}

func TestBulkHTTP(t *testing.T) {
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	payload := load.Payload(transferBytes)
	length := []byte(strconv.Itoa(transferBytes))
	eachBulk(t, BulkHTTP, func(t *testing.T, addr string) {
		for _, c := range []struct {
			method, path string
			body         []byte
			want         []byte
		}{
			{"GET", load.DownPath, nil, payload},
			{"POST", load.UpPath, payload, length},
			{"POST", load.UpPath, payload[:1], []byte("1")},
			{"GET", "/", nil, []byte(Body)},
		} {
			request, err := http.NewRequest(c.method, "http://"+addr+c.path, bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(c.want)) || !bytes.Equal(got, c.want) {
				t.Errorf("%s %s: status %d, length %d, %d bytes, error %v", c.method, c.path, resp.StatusCode, resp.ContentLength, len(got), err)
			}
		}
	})
}

func TestBulkWebSocket(t *testing.T) {
	payload := load.Payload(transferBytes)
	length := []byte(strconv.Itoa(transferBytes))
	eachBulk(t, BulkWebSocket, func(t *testing.T, addr string) {
		for _, c := range []struct {
			path       string
			send, want []byte
		}{
			{load.EchoPath, payload, payload},
			{load.DownPath, length, payload},
			{load.UpPath, payload, length},
			{"/", length, length},
		} {
			conn, _, err := websocket.DefaultDialer.Dial("ws://"+addr+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := conn.WriteMessage(websocket.BinaryMessage, c.send); err != nil {
					t.Fatal(err)
				}
				kind, got, err := conn.ReadMessage()
				if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(got, c.want) {
					t.Fatalf("%s: kind %d, %d bytes, error %v", c.path, kind, len(got), err)
				}
			}
		}
	})
}

func TestNoBulk(t *testing.T) {
	c, err := Lookup("raw")
	if err != nil {
		t.Fatal(err)
	}
	if addr, err := c.Start(Config{TransferBytes: 1}); err == nil {
		t.Errorf("raw serves bulk transfers on %v", addr)
	}
}
