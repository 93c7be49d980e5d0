package load

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// transferSize is more than a socket takes at once.
const transferSize = 5 << 20

// transferServer answers transfers as the contenders do, but for what spoil makes of
// the answers.
func transferServer(t *testing.T, spoil func(answer []byte) []byte) netip.AddrPort {
	t.Helper()
	payload := Payload(transferSize)
	answer := func(path string, message []byte) []byte {
		switch path {
		case DownPath:
			message = payload
		case UpPath:
			message = []byte(strconv.Itoa(len(message)))
		}
		if spoil != nil {
			return spoil(message)
		}
		return message
	}
	var upgrader websocket.Upgrader
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			message, _ := io.ReadAll(r.Body)
			body := answer(r.URL.Path, message)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			kind, message, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(kind, answer(r.URL.Path, message)) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).AddrPort()
}

func openTransfers(t *testing.T, server netip.AddrPort, kind Transfer) (*Transfers, error) {
	x, err := OpenTransfers(TransferConfig{Server: server, Transfer: kind, Size: transferSize, Conns: 3})
	if err == nil {
		t.Cleanup(x.Close)
	}
	return x, err
}

// Run goes on until Stop, and all bytes of payload count, once.
func TestTransfers(t *testing.T) {
	for _, kind := range []Transfer{HTTPDown, HTTPUp, WebSocketEcho, WebSocketDown, WebSocketUp} {
		t.Run(string(kind), func(t *testing.T) {
			const conns, transfers = 3, 10
			var answers atomic.Int64
			enough := make(chan struct{})
			server := transferServer(t, func(p []byte) []byte {
				// The first of each conn does not count, and the last may be on its way.
				if answers.Add(1) == transfers+2*conns {
					close(enough)
				}
				return p
			})
			x, err := openTransfers(t, server, kind)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- x.Run() }() // ends with Stop
			select {
			case <-enough:
			case <-time.After(3 * Patience):
				t.Error("too few transfers")
			}
			x.Stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			// Of the last transfer of each conn, some bytes have come, or all but one.
			bytes, n := x.Count()
			if least := n * transferSize; n < transfers || bytes < least || bytes > least+conns*transferSize {
				t.Errorf("%d transfers, %d bytes of %d each", n, bytes, transferSize)
			}
		})
	}
}

func TestTransfersThatFail(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"another byte": func(p []byte) []byte { q := append([]byte{}, p...); q[len(q)-1]++; return q },
		"too short":    func(p []byte) []byte { return p[1:] },
		"too long":     func(p []byte) []byte { return append(append([]byte{}, p...), 0) },
	} {
		for _, kind := range []Transfer{HTTPDown, HTTPUp, WebSocketEcho} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				if _, err := openTransfers(t, transferServer(t, spoil), kind); !errors.Is(err, errReply) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
	if _, err := openTransfers(t, transferServer(t, nil), "by-post"); err == nil {
		t.Error("a transfer that does not exist was opened")
	}
}

// The length of what need not be seen is compared, too.
func TestTransfersOfAnotherLength(t *testing.T) {
	short := make(chan struct{})
	x, err := openTransfers(t, transferServer(t, func(p []byte) []byte {
		select {
		case <-short:
			return p[1:]
		default:
			return p
		}
	}), WebSocketEcho)
	if err != nil {
		t.Fatal(err)
	}
	close(short)
	if err := x.Run(); !errors.Is(err, errReply) {
		t.Errorf("error %v", err)
	}
}

// A transfer costs no memory of its own.
func TestTransfersAllocateNothing(t *testing.T) {
	x, err := openTransfers(t, transferServer(t, nil), HTTPDown)
	if err != nil {
		t.Fatal(err)
	}
	c := x.conns[0]
	response := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(transferSize)+"\r\n\r\n"), x.want[:100]...)
	copy(x.buf, response)
	if n := testing.AllocsPerRun(100, func() {
		if err := c.in.read(x.buf[:len(response)]); err != nil {
			t.Fatal(err)
		}
		if err := c.in.skip(c.in.unseen()); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
