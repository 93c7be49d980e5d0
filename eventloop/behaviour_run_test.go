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
	"github.com/gale-server/gale/internal/longtest"
)

// proto is a Protocol that writes down its calls. A test adds reactions.
type proto struct {
	eventloop.Conn
	log *transcript

	onData                      func(p string)
	onEOF, onPeerEnded          func()
	onTurn, onDrain, onDeadline func()
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

func (p *proto) EOF()       { p.react("eof", p.onEOF) }
func (p *proto) PeerEnded() { p.react("peer ended", p.onPeerEnded) }
func (p *proto) Turn()      { p.react("turn", p.onTurn) }
func (p *proto) Drained()   { p.react("drained", p.onDrain) }
func (p *proto) Deadline()  { p.react("deadline", p.onDeadline) }
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
	_ = c.SetDeadline(time.Now().Add(longtest.Patience))
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
	timeout := time.NewTimer(longtest.Patience)
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
