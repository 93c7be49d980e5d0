package eventloop_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/eventloop/looptest"
)

// proto is a Protocol that writes down its calls. A test adds reactions.
type proto struct {
	eventloop.Conn
	log *transcript

	onData                             func(p string)
	onEOF, onTurn, onDrain, onDeadline func()
}

func (p *proto) Data(b []byte) {
	p.log.data(string(b))
	if p.onData != nil {
		p.onData(string(b))
	}
}

func (p *proto) react(word string, reaction func()) {
	p.log.add(word)
	if reaction != nil {
		reaction()
	}
}

func (p *proto) EOF()      { p.react("eof", p.onEOF) }
func (p *proto) Turn()     { p.react("turn", p.onTurn) }
func (p *proto) Drained()  { p.react("drained", p.onDrain) }
func (p *proto) Deadline() { p.react("deadline", p.onDeadline) }
func (p *proto) Closed(err error) {
	word := "closed"
	for _, reason := range []error{eventloop.ErrAborted, eventloop.ErrReset, eventloop.ErrWriteTimeout,
		eventloop.ErrOutboxFull, eventloop.ErrShutdown} {
		if errors.Is(err, reason) {
			word += ": " + strings.TrimPrefix(reason.Error(), "eventloop: ")
			err = nil
		}
	}
	var panicked *eventloop.PanicError
	if errors.As(err, &panicked) {
		word += ": " + panicked.Error()
	} else if err != nil {
		word += ": unknown error " + err.Error()
	}
	p.log.add(word)
}

// transcript is a list of calls; neighbouring data is one entry, however it was
// cut.
type transcript struct {
	mu    sync.Mutex
	words []string
	news  chan struct{} // holds a token when something was added
}

func newTranscript() *transcript { return &transcript{news: make(chan struct{}, 1)} }

func (t *transcript) add(word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.words = append(t.words, word)
	t.tell()
}

func (t *transcript) data(p string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.words); n > 0 && strings.HasPrefix(t.words[n-1], "data ") {
		t.words[n-1] += p
	} else {
		t.words = append(t.words, "data "+p)
	}
	t.tell()
}

func (t *transcript) tell() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.words, "; ")
}

// peer is the far end: a real socket, or the fake's.
type peer interface {
	send(p string)
	halfClose()
	close()
	reset()
	// end is what the conn sent until it ended, and how that looked: "fin" or "reset".
	end() (sent, how string)
	// await waits until the transcript contains text.
	await(text string)
}

// behaviours are what a protocol may rely on. Each runs on the fake and over
// loopback.
var behaviours = []struct {
	name   string
	open   func(*proto)
	script func(peer)
	want   string // transcript
	sent   string
	how    string
}{
	{
		name:   "half-close is not a close",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("late answer")); p.Close() } },
		script: func(r peer) { r.send("question"); r.halfClose() },
		want:   "data question; eof; closed",
		sent:   "late answer", how: "fin",
	},
	{
		name: "close flushes, and is the end of delivery",
		open: func(p *proto) {
			p.onData = func(string) { p.Write([]byte("bye")); p.Close(); p.Write([]byte("not sent")); p.Schedule() }
		},
		script: func(r peer) { r.send("quit"); r.await("data quit"); r.send("ignored"); r.halfClose() },
		want:   "data quit; closed",
		sent:   "bye", how: "fin",
	},
	{
		name: "end of our stream, then of the peer's",
		open: func(p *proto) {
			p.onData = func(string) { p.Write([]byte("all")); p.CloseWrite(); p.Write([]byte("x")) }
		},
		script: func(r peer) { r.send("a"); r.await("data a"); r.send("b"); r.await("data ab"); r.halfClose() },
		want:   "data ab; eof; closed",
		sent:   "all", how: "fin",
	},
	{
		name:   "end of the peer's stream, then of ours",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("rest")); p.CloseWrite() } },
		script: func(r peer) { r.halfClose() },
		want:   "eof; closed",
		sent:   "rest", how: "fin",
	},
	{
		name:   "abort",
		open:   func(p *proto) { p.onData = func(string) { p.Write([]byte("half a mess")); p.Abort(); p.Close() } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: aborted locally",
		how:    "reset",
	},
	{
		name:   "a panic costs the conn",
		open:   func(p *proto) { p.onData = func(string) { panic("oops") } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: oops",
		how:    "reset",
	},
	{
		name:   "a panic in a timer costs the conn",
		open:   func(p *proto) { p.onData = func(string) { p.AfterFunc(0, func() { panic("tick") }) } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: tick",
		how:    "reset",
	},
	{
		name:   "a panic in a posted function costs the conn",
		open:   func(p *proto) { p.onData = func(string) { p.Post(func() { panic("post") }) } },
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: eventloop: panic: post",
		how:    "reset",
	},
	{
		name:   "reset by the peer",
		script: func(r peer) { r.send("x"); r.await("data x"); r.reset() },
		want:   "data x; closed: connection reset by peer",
	},
	{
		name:   "reset by the peer while reading is paused",
		open:   func(p *proto) { p.onData = func(string) { p.PauseRead() } },
		script: func(r peer) { r.send("x"); r.await("data x"); r.send("unread"); r.reset() },
		want:   "data x; closed: connection reset by peer",
	},
	{
		name:   "reset by the peer after its end of stream",
		open:   func(p *proto) { p.onEOF = func() { p.Write([]byte("to nobody")) } },
		script: func(r peer) { r.send("x"); r.close() },
		want:   "data x; eof; closed: connection reset by peer",
	},
	{
		name: "a pause keeps what arrives, and its order",
		open: func(p *proto) {
			p.onData = func(b string) {
				if b == "1" {
					p.PauseRead()
					p.PauseRead()
					p.AfterFunc(50*time.Millisecond, func() { p.log.add("resume"); p.ResumeRead(); p.ResumeRead() })
				}
			}
			p.onEOF = p.Close
		},
		script: func(r peer) { r.send("1"); r.await("data 1"); r.send("23"); r.halfClose() },
		want:   "data 1; resume; data 23; eof; closed",
		how:    "fin",
	},
	{
		name: "a turn comes once, before the flush",
		open: func(p *proto) {
			p.onData = func(string) { p.Schedule(); p.Schedule(); p.Write([]byte("a")) }
			p.onTurn = func() { p.Write([]byte("b")); p.Close() }
		},
		script: func(r peer) { r.send("x"); r.await("turn"); r.halfClose() },
		want:   "data x; turn; closed",
		sent:   "ab", how: "fin",
	},
	{
		name: "a turn may ask for another",
		open: func(p *proto) {
			n := 0
			p.onData = func(string) { p.Schedule() }
			p.onTurn = func() {
				if n++; n < 3 {
					p.Schedule()
				} else {
					p.Close()
				}
			}
		},
		script: func(r peer) { r.send("x"); r.await("turn; turn; turn"); r.halfClose() },
		want:   "data x; turn; turn; turn; closed",
		how:    "fin",
	},
	{
		name: "a deadline fires once and can be cleared",
		open: func(p *proto) {
			p.SetDeadline(p.Now().Add(30 * time.Millisecond))
			p.SetDeadline(p.Now().Add(60 * time.Millisecond))
			p.onDeadline = func() {
				p.SetDeadline(p.Now().Add(20 * time.Millisecond))
				p.SetDeadline(time.Time{})
				p.AfterFunc(100*time.Millisecond, p.Close)
			}
		},
		script: func(r peer) { r.await("deadline"); r.halfClose() },
		want:   "deadline; eof; closed",
		how:    "fin",
	},
	{
		name: "timers end with the conn",
		open: func(p *proto) {
			p.AfterFunc(20*time.Millisecond, func() { p.log.add("late timer") })
			stopped := p.AfterFunc(0, func() { p.log.add("stopped timer") })
			stopped.Stop()
			p.onData = func(string) { p.Abort() }
		},
		script: func(r peer) { r.send("x") },
		want:   "data x; closed: aborted locally",
		how:    "reset",
	},
	{
		name: "posted functions come in order, and not after the end",
		open: func(p *proto) {
			p.onData = func(string) {
				p.Post(func() { p.log.add("1") })
				p.Post(func() { p.log.add("2"); p.Abort() })
				p.Post(func() { p.log.add("3") })
			}
		},
		script: func(r peer) { r.send("x") },
		want:   "data x; 1; 2; closed: aborted locally",
		how:    "reset",
	},
	{
		name: "reserve and commit",
		open: func(p *proto) {
			p.onData = func(b string) {
				p.Write([]byte("<"))
				p.Reserve(10) // not committed: nothing happens
				p.Commit(append(p.Reserve(len(b)), b...))
				p.Commit(append(p.Reserve(1), strings.Repeat("-", 5000)...))
				p.Commit([]byte(">"))
				p.Commit(nil)
				p.Close()
			}
		},
		script: func(r peer) { r.send("hello"); r.await("data hello"); r.halfClose() },
		want:   "data hello; closed",
		sent:   "<hello" + strings.Repeat("-", 5000) + ">", how: "fin",
	},
}

func TestBehaviour(t *testing.T) {
	for _, b := range behaviours {
		open := func(log *transcript) func(eventloop.Conn) eventloop.Protocol {
			return func(c eventloop.Conn) eventloop.Protocol {
				p := &proto{Conn: c, log: log}
				if b.open != nil {
					b.open(p)
				}
				return p
			}
		}
		for name, newPeer := range map[string]func(*testing.T, *transcript, func(eventloop.Conn) eventloop.Protocol) peer{
			"fake": newFakePeer, "tcp": newRealPeer,
		} {
			t.Run(b.name+"/"+name, func(t *testing.T) {
				log := newTranscript()
				r := newPeer(t, log, open(log))
				b.script(r)
				r.await("closed")
				if got := log.String(); got != b.want {
					t.Errorf("calls: %s\n want: %s", got, b.want)
				}
				if b.how == "" {
					return
				}
				sent, how := r.end()
				if how != b.how || how == "fin" && sent != b.sent {
					t.Errorf("the peer got %q, %s; want %q, %s", sent, how, b.sent, b.how)
				}
			})
		}
	}
}

type fakePeer struct {
	t   *testing.T
	c   *looptest.Conn
	log *transcript
}

func newFakePeer(t *testing.T, log *transcript, open func(eventloop.Conn) eventloop.Protocol) peer {
	quiet := eventloop.Config{Logger: slog.New(slog.DiscardHandler)}
	return &fakePeer{t, looptest.NewLoop(t, quiet).Open(open), log}
}

func (p *fakePeer) send(b string) { p.c.Feed(b) }
func (p *fakePeer) halfClose()    { p.c.HalfClose() }
func (p *fakePeer) close()        { p.c.PeerClose() }
func (p *fakePeer) reset()        { p.c.Reset() }

func (p *fakePeer) await(text string) {
	for range 100 {
		if strings.Contains(p.log.String(), text) {
			return
		}
		p.c.Advance(10 * time.Millisecond)
	}
	p.t.Fatalf("%q did not come: %s", text, p.log)
}

func (p *fakePeer) end() (string, string) {
	sent := p.c.Output()
	switch {
	case p.c.Aborted():
		return sent, "reset"
	case p.c.WriteClosed():
		return sent, "fin"
	}
	return sent, "open"
}

type realPeer struct {
	t   *testing.T
	c   *net.TCPConn
	log *transcript
}

func newRealPeer(t *testing.T, log *transcript, open func(eventloop.Conn) eventloop.Protocol) peer {
	g, err := eventloop.New(eventloop.Config{Open: open, Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	addr, err := g.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return &realPeer{t, c.(*net.TCPConn), log}
}

func (p *realPeer) check(err error) {
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *realPeer) send(b string) {
	_, err := io.WriteString(p.c, b)
	p.check(err)
}

func (p *realPeer) halfClose() { p.check(p.c.CloseWrite()) }
func (p *realPeer) close()     { p.check(p.c.Close()) }
func (p *realPeer) reset() {
	p.check(p.c.SetLinger(0))
	p.check(p.c.Close())
}

func (p *realPeer) await(text string) {
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for !strings.Contains(p.log.String(), text) {
		select {
		case <-p.log.news:
		case <-timeout.C:
			p.t.Fatalf("%q did not come: %s", text, p.log)
		}
	}
}

func (p *realPeer) end() (string, string) {
	sent, err := io.ReadAll(p.c)
	if err != nil {
		return string(sent), "reset"
	}
	return string(sent), "fin"
}
