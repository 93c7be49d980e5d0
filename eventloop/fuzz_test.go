package eventloop_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
	"github.com/gale-server/gale/internal/longtest"
)

// model is what must be true of a conn, whatever happens in whatever order.
type model struct {
	t *testing.T
	c *looptest.Conn

	fed, delivered   string
	written, arrived string
	paused, shut     bool // by calls of ours
	fin, ended, eof  bool
	closed           int
	reason           error
	turnOwed         bool
	drainOwed        bool
	next             byte

	file    *os.File
	content string
}

func newModel(t *testing.T) *model {
	m := &model{t: t}
	m.content = m.bytes(20_000)
	path := filepath.Join(t.TempDir(), "file")
	err := os.WriteFile(path, []byte(m.content), 0o600)
	if err == nil {
		m.file, err = os.Open(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.file.Close() })
	m.c = looptest.NewLoop(t, eventloop.Config{OutboxBytes: -1, HighWatermark: 2000, LowWatermark: 500,
		ReadBytesPerTurn: 1000, WriteBytesPerTurn: 300}).Open(func(eventloop.Conn) eventloop.Protocol { return m })
	return m
}

// bytes makes n bytes that differ from those before.
func (m *model) bytes(n int) string {
	p := make([]byte, n)
	for i := range p {
		m.next++
		p[i] = m.next
	}
	return string(p)
}

func (m *model) alive(call string) {
	if m.closed > 0 {
		m.t.Fatalf("%s after Closed", call)
	}
}

func (m *model) Data(p []byte) {
	m.alive("Data")
	if m.paused || m.eof || len(p) == 0 {
		m.t.Fatalf("%d bytes delivered; paused %v, after EOF %v", len(p), m.paused, m.eof)
	}
	m.delivered += string(p)
	if len(m.delivered)%7 == 0 {
		m.PauseRead()
	}
}

func (m *model) EOF() {
	m.alive("EOF")
	if m.eof || m.paused || m.delivered != m.fed {
		m.t.Fatalf("EOF after %d of %d bytes; paused %v, before %v", len(m.delivered), len(m.fed), m.paused, m.eof)
	}
	m.eof = true
}

func (m *model) PeerEnded() {
	m.alive("PeerEnded")
	if m.ended || m.eof || !m.paused || !m.fin {
		m.t.Fatalf("PeerEnded; before %v, after EOF %v, paused %v, of the peer %v", m.ended, m.eof, m.paused, m.fin)
	}
	m.ended = true
}

func (m *model) Turn() {
	m.alive("Turn")
	if !m.turnOwed {
		m.t.Fatal("Turn that nobody asked for")
	}
	m.turnOwed = false
	m.Write(3)
}

func (m *model) Drained() {
	m.alive("Drained")
	if n := m.c.Buffered(); n > 500 {
		m.t.Fatalf("Drained with %d bytes waiting", n)
	}
	m.drainOwed = false
}

func (m *model) Deadline() { m.alive("Deadline") }

func (m *model) Closed(err error) {
	m.alive("Closed")
	m.closed++
	m.reason = err
}

func (m *model) PauseRead() {
	m.c.PauseRead()
	m.paused = true
}

// Write writes n bytes in one of three ways.
func (m *model) Write(n int) {
	p := m.bytes(n)
	if !m.shut && m.closed == 0 {
		m.written += p
	}
	switch n % 3 {
	case 0:
		m.c.Write([]byte(p))
	case 1:
		m.c.Commit(append(m.c.Reserve(n), p...))
	case 2:
		m.c.Commit(append(m.c.Reserve(0), p...))
	}
}

// SendFile sends n bytes of the file, or as many of them as are taken.
func (m *model) SendFile(n int) {
	offset := n * 31
	sent, err := m.c.SendFile(m.file, int64(offset), n)
	if err != nil || sent > 0 && (m.shut || m.closed > 0 || m.c.Buffered() > 0) {
		m.t.Fatalf("%d bytes of a file sent, %d wait, shut %v, closed %d: %v", sent, m.c.Buffered(), m.shut, m.closed, err)
	}
	m.written += m.content[offset:][:sent]
	if sent < n && !m.shut && m.closed == 0 && !m.c.Ended() {
		if m.drainOwed = true; !m.c.Congested() {
			m.t.Fatal("a file waits for room, and the conn is not congested")
		}
	}
}

func (m *model) step(op byte, n int) {
	c := m.c
	switch op % 17 {
	case 0:
		if !c.PeerDone() {
			p := m.bytes(n * 40)
			m.fed += p
			c.Feed(p)
		}
	case 1:
		if !c.PeerDone() {
			m.fin = true
			c.HalfClose()
		}
	case 2:
		if op == 2 { // rarely
			c.Reset()
		}
	case 3:
		c.Accept(n * 30)
	case 4:
		c.Stall()
	case 5:
		m.Write(1 + n)
	case 6:
		m.Write(1 + n*500)
	case 7:
		c.Close()
		m.shut = true
	case 8:
		c.CloseWrite()
		m.shut = true
	case 9:
		if op == 9 { // rarely
			c.Abort()
			m.shut = true
		}
	case 10:
		m.PauseRead()
	case 11:
		c.ResumeRead()
		m.paused = false
	case 12:
		if !m.shut {
			c.Schedule()
			m.turnOwed = true
		}
	case 13:
		c.SetDeadline(c.Host.Now().Add(time.Duration(n-10) * time.Second))
	case 14:
		c.Advance(time.Duration(n) * 10 * time.Millisecond)
	case 15:
		if !m.shut {
			c.Post(func() { m.alive("posted function"); m.Write(n) })
			c.AfterFunc(time.Duration(n)*time.Millisecond, func() { m.alive("timer"); m.Write(2) })
		}
	case 16:
		m.SendFile(1 + n*2)
	}
	m.check()
}

// check compares both ends of the stream.
func (m *model) check() {
	m.arrived += m.c.Output()
	if !strings.HasPrefix(m.written, m.arrived) {
		m.t.Fatal("other bytes arrived than were written")
	}
	if !strings.HasPrefix(m.fed, m.delivered) {
		m.t.Fatal("other bytes were delivered than were sent")
	}
	if m.fin && m.paused && !m.eof && !m.ended && !m.shut && m.closed == 0 {
		m.t.Fatal("the end of the peer's stream was not told")
	}
	if m.closed == 0 && len(m.written) != len(m.arrived)+m.c.Buffered() {
		m.t.Fatalf("%d bytes written, %d arrived, %d wait", len(m.written), len(m.arrived), m.c.Buffered())
	}
}

// finish lets everything go its way.
func (m *model) finish() {
	m.c.Accept(-1)
	m.c.ResumeRead()
	m.paused = false
	m.c.Run()
	if m.drainOwed && !m.shut && m.closed == 0 {
		m.t.Fatal("nobody was told that there is room for more of the file")
	}
	m.c.Close()
	m.shut = true
	m.c.Advance(time.Hour)
	m.check()
	if m.closed != 1 || m.c.Host.Conns() != 0 {
		m.t.Fatalf("Closed was called %d times, %d conns are left", m.closed, m.c.Host.Conns())
	}
	if m.reason == nil && m.arrived != m.written {
		m.t.Fatalf("closed in good order, but %d of %d bytes arrived", len(m.arrived), len(m.written))
	}
	if (m.reason != nil) != m.c.Aborted() {
		m.t.Fatalf("closed with %v, the peer saw a reset: %v", m.reason, m.c.Aborted())
	}
}

func FuzzConn(f *testing.F) {
	f.Add([]byte{0, 10, 5, 20, 7, 0})
	f.Add([]byte{4, 0, 6, 100, 3, 5, 14, 200, 3, 200, 1, 0, 8, 0})
	f.Add([]byte{10, 0, 0, 50, 1, 0, 11, 0, 12, 0, 15, 3, 14, 10})
	f.Add([]byte{13, 20, 15, 5, 14, 255, 14, 255, 2, 0})
	f.Add([]byte{0, 7, 11, 0, 0, 200, 8, 0, 1, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newModel(t)
		for i := 0; i+1 < len(script) && i < 200; i += 2 {
			m.step(script[i], int(script[i+1]))
		}
		m.finish()
	})
}

// TestConnModel runs random scripts through the same model.
func TestConnModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range longtest.Count(500, 1500) {
		m := newModel(t)
		for range 10 + r.IntN(40) {
			m.step(byte(r.IntN(34)), r.IntN(256))
		}
		m.finish()
	}
}
