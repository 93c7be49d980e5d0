package server_test

import (
	"net/http"
	"testing"

	"github.com/gale-server/gale/asgi/internal/autobahn"
	"github.com/gale-server/gale/internal/longtest"
)

// The key is the sample of RFC 6455 §1.3, which gives the answer to it, too.
const (
	wireHandshake = "GET /echo HTTP/1.1\r\nHost: w\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	wireAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// TestWireAutobahn runs the short cases. An application on the loop answers a
// message before the next frame is read, so nothing can come between; one on a
// goroutine may be overtaken by the peer's close, so that its client must wait
// for each answer.
func TestWireAutobahn(t *testing.T) {
	eachForm(t, func(t *testing.T, w *wire, form wireForm) {
		for _, group := range autobahn.Groups {
			t.Run(group.Name, func(t *testing.T) {
				for _, c := range group.Cases() {
					t.Run(c.ID, func(t *testing.T) {
						w.inTurns(t, c)
						if c.FailsAt > 0 {
							w.failFast(t, c)
						}
						if form.onLoop {
							w.atOnce(t, c)
							w.inChops(t, c)
						}
					})
				}
			})
		}
	})
}

// TestWireAutobahnLimits runs the large cases in full on the forms that run on
// the loop, and those up to 1 MiB in turns on the others.
func TestWireAutobahnLimits(t *testing.T) {
	groups := make([][]autobahn.Case, len(autobahn.LargeGroups))
	for i, group := range autobahn.LargeGroups {
		groups[i] = group.Cases()
	}
	eachForm(t, func(t *testing.T, w *wire, form wireForm) {
		for i, cases := range groups {
			t.Run(autobahn.LargeGroups[i].Name, func(t *testing.T) {
				for _, c := range cases {
					size := 0
					for _, f := range c.Frames {
						size += len(f.Payload)
					}
					short := size <= 1<<20+2
					switch {
					case c.Turns, !form.onLoop && short && len(c.Frames) == 2:
						t.Run(c.ID, func(t *testing.T) { w.inTurns(t, fewTurns(c)) })
					case form.onLoop && (longtest.On() || size <= 2<<20):
						t.Run(c.ID, func(t *testing.T) { w.inChops(t, c) })
					}
				}
			})
		}
	})
}

// fewTurns is a case that has no more than 100 turns in the short run.
func fewTurns(c autobahn.Case) autobahn.Case {
	if n := longtest.Count(100, len(c.Want)); n < len(c.Want) {
		c.Frames = append(c.Frames[:n:n], c.Frames[len(c.Frames)-1]) // the close
		c.Want = c.Want[:n]
	}
	return c
}

// atOnce sends the whole case in the same write as the handshake: what follows
// the handshake's head belongs to frames.
func (w *wire) atOnce(t *testing.T, c autobahn.Case) {
	t.Helper()
	p := w.dial(t)
	defer p.close()
	p.write(wireHandshake + string(c.Stream()))
	p.wantAccepted()
	p.wantReplies(c, 0)
}

// inChops sends the case in its chops, else octet by octet if it is short, and
// reads at the same time: a server whose client does not read stops reading,
// too.
func (w *wire) inChops(t *testing.T, c autobahn.Case) {
	t.Helper()
	p := w.upgrade(t)
	defer p.close()
	stream := c.Stream()
	size := c.Chop
	switch {
	case size > 0:
	case len(stream) < 1000:
		size = 1
	default:
		size = 256 << 10
	}
	written := make(chan error, 1)
	go func() { // ends with the stream, or when the conn is closed
		var err error
		for rest := stream; len(rest) > 0 && err == nil; {
			n := min(size, len(rest))
			_, err = p.conn.Write(rest[:n])
			rest = rest[n:]
		}
		written <- err
	}()
	p.wantReplies(c, 0)
	p.close()
	<-written // an error of a server that has failed and closed is in order
}

// inTurns sends frame by frame and awaits the answer that is due. The first
// frame comes with the handshake, so that it waits for the application's accept.
func (w *wire) inTurns(t *testing.T, c autobahn.Case) {
	t.Helper()
	p := w.dial(t)
	defer p.close()
	got, before := 0, wireHandshake
	for i, f := range c.Frames {
		p.write(before + string(f.AppendTo(nil, [4]byte{byte(i), 0x5a, 0xff, byte(i >> 8)})))
		if before != "" {
			p.wantAccepted()
			before = ""
		}
		if !f.More && f.Op != autobahn.OpPong && f.Op != autobahn.OpClose && got < len(c.Want) {
			p.wantReply(c.Want[got])
			got++
		}
	}
	p.wantReplies(c, got)
}

// failFast sends no more than the byte at which the server must fail, and sees
// that it did not before.
func (w *wire) failFast(t *testing.T, c autobahn.Case) {
	t.Helper()
	p := w.upgrade(t)
	defer p.close()
	stream := string(c.Stream())
	p.write(stream[:c.FailsAt-1])
	w.settle(t)
	p.wantQuiet(stream[:c.FailsAt-1])
	p.write(stream[c.FailsAt-1 : c.FailsAt])
	p.wantReplies(c, 0)
}

func (w *wire) upgrade(t *testing.T) *wirePeer {
	t.Helper()
	p := w.dial(t)
	p.write(wireHandshake)
	p.wantAccepted()
	return p
}

func (p *wirePeer) wantAccepted() {
	p.t.Helper()
	res, err := http.ReadResponse(p.r, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != wireAccept {
		p.t.Fatalf("handshake: %v, %v", res, err)
	}
}

func (p *wirePeer) wantReply(want autobahn.Reply) {
	p.t.Helper()
	if got, err := autobahn.ReadReply(p.r); err != nil || got != want {
		p.t.Fatalf("got %v, %v, want %v", got, err, want)
	}
}

// wantReplies checks what c still wants after the first got replies, the close,
// and that the server ends the TCP connection, without any word of the client.
func (p *wirePeer) wantReplies(c autobahn.Case, got int) {
	p.t.Helper()
	for _, want := range c.Want[got:] {
		p.wantReply(want)
	}
	last, err := autobahn.ReadReply(p.r)
	if err != nil || last.Op != autobahn.OpClose || last.CloseCode() != c.Close {
		p.t.Fatalf("got %v, %v, want a close with %d", last, err, c.Close)
	}
	// The answer to a close carries its code and no more.
	if size := len(last.Payload); c.Breaks == autobahn.NoRule && size != min(c.Close, 2) {
		p.t.Fatalf("the close has %d bytes", size)
	}
	p.wantEnd()
}
