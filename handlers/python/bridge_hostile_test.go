package python

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/internal/enginetest"
	"github.com/gale-server/gale/handlers/python/internal/wire"
	"github.com/gale-server/gale/internal/longtest"
)

// hostile is a source of frames that a worker may send but should not.
type hostile struct {
	*rand.Rand
	sids []int64
}

func (r hostile) field() any {
	values := []any{
		nil, true, false, 0, 1, -1, 7, 200, 999, 1 << 20, int64(1) << 40, 1.5, "", "text", "/etc/hostname", "\u00e9", []byte{}, []byte("bytes"),
		make([]byte, wire.PieceBytes), headers(), headers("a", "b"), headers("content-length", "5"), headers("x", "\r\n"), []any{[]byte("</a>")},
		[]any{wire.Tuple{"name", "value"}}, map[string]any{"a": 1},
	}
	return values[r.IntN(len(values))]
}

// frame is one of each kind, mostly with fields of the right types, and for a stream that
// there is.
func (r hostile) frame() wire.Tuple {
	data := [][]byte{{}, []byte("data"), make([]byte, r.IntN(wire.PieceBytes))}[r.IntN(3)]
	more := r.IntN(2) == 0
	sid := r.sids[r.IntN(len(r.sids))]
	f := []wire.Tuple{
		{wire.Response, sid, 200, headers("a", "b"), data}, {wire.Start, sid, 204, headers(), more, data}, {wire.Start, sid, 200, headers(), false, data},
		{wire.Chunk, sid, data, more}, {wire.Chunk, sid, data, true}, {wire.Trailers, sid, headers("a", "b"), more}, {wire.Hint, sid, []any{[]byte("</a>")}},
		{wire.File, sid, r.IntN(10), 0, 5, true}, {wire.File, sid, "/etc/hostname", 0, -1, false}, {wire.File, sid, 7, 2, 3, more},
		{wire.Accept, sid, nil, headers()}, {wire.Accept, sid, "chat", headers("sec-websocket-protocol", "x")},
		{wire.Send, sid, "text", more}, {wire.Send, sid, data, more}, {wire.Close, sid, r.IntN(5000), "why"},
		{wire.Took, sid, r.IntN(1 << 20)}, {wire.End, sid, ""}, {wire.End, sid, "reason"}, {wire.Seen, r.IntN(5)}, {wire.Deny, sid, 404, headers(), data, more},
	}[r.IntN(20)]
	switch r.IntN(12) {
	case 0:
		f[r.IntN(len(f))] = r.field()
	case 1:
		f = f[:r.IntN(len(f))]
	case 2:
		f = append(f, r.field())
	}
	return f
}

// message is one of some frames; of a few, a byte is another.
func (r hostile) message() []byte {
	frames := make([]any, r.IntN(8))
	for i := range frames {
		frames[i] = r.frame()
	}
	p := wire.AppendValue(make([]byte, wire.HeadBytes), frames)
	binary.LittleEndian.PutUint32(p, uint32(len(p)-wire.HeadBytes))
	if r.IntN(10) == 0 {
		p[r.IntN(len(p))] ^= byte(1 << r.IntN(8))
	}
	return p
}

// TestBridgeHostile has workers say anything about requests and WebSockets that there are.
// Whatever it is costs the worker and its exchanges at most, and nothing stays of them.
func TestBridgeHostile(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("the seed is %d", seed)
		}
	}()
	for _, mode := range []string{"asgi", "wsgi"} {
		t.Run(mode, func(t *testing.T) {
			bridge(t, mode, func(c *Config) { c.Threads = 64 }, "", func(t *testing.T, f *puppet, s *enginetest.Server) {
				for round := range longtest.Count(15, 60) {
					r := hostile{rand.New(rand.NewPCG(seed, uint64(round))), nil}
					f.hostileRound(t, s, r, mode)
				}
			})
		})
	}
}

func (f *puppet) hostileRound(t *testing.T, s *enginetest.Server, r hostile, mode string) {
	if len(f.h.pool.ready()) == 0 {
		f.start(mode)
	}
	w := f.w
	var clients []*client
	for range 1 + r.IntN(3) {
		clients = append(clients, get(t, s, "/"))
		clients = append(clients, dial(t, s, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 100)))
		if mode == "asgi" {
			clients = append(clients, dial(t, s, "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		}
	}
	links := map[*puppetLink]hostile{}
	for n := 0; n < len(clients); {
		e := f.next()
		switch {
		case e.frame == nil: // of the worker before
		case e.frame[0] == int64(wire.Request), e.frame[0] == int64(wire.WebSocket), e.frame[0] == int64(wire.WSGI):
			l := links[e.link]
			links[e.link] = hostile{r.Rand, append(l.sids, e.frame[1].(int64))}
			n++
		}
	}
	for range 30 {
		for l, r := range links {
			_, _ = l.conn.Write(r.message()) // gale may have closed it
		}
	}
	if r.IntN(2) == 0 {
		for _, c := range clients {
			c.leave()
		}
	}
	for l, r := range links { // what is left ends
		for _, sid := range r.sids {
			l.send(wire.Tuple{wire.End, sid, ""})
		}
	}
	f.endOf(w)
	for _, c := range clients {
		c.leave()
	}
	f.idle()
}

// endOf waits until a worker has nothing more to do, and ends it.
func (f *puppet) endOf(w *worker) {
	w.process.Kill(errEnded)
	wait(f.t, "the end of the worker", w.gone)
}
