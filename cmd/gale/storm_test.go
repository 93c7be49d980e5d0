package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/internal/longtest"
)

// TestStorm has many subscribers over all transports, drops all of them at once,
// twice, and has them come back to where they were, while others publish. Each must
// see every message once and in order. GALE_TEST=17x makes them 5,100.
func TestStorm(t *testing.T) {
	for i, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			asgitest.CheckLeaks(t)
			h, err := hub.New(hub.Config{Channels: map[string]hub.Options{"": {HistoryMessages: 1 << 20, HistoryBytes: 1 << 30}}})
			if err != nil {
				t.Fatal(err)
			}
			s := &storm{recoveryWorld: recoveryWorld{t: t, hub: h, steady: true, done: make(chan struct{}), published: make(map[string][]string)}}
			s.moved, s.dial = sync.NewCond(&s.mu), s.connect
			if s.cursors, err = cursor.New([]byte("a secret of at least thirty-two bytes")); err != nil {
				t.Fatal(err)
			}
			stop := s.serve(i)
			s.run(longtest.Count(150, 300))
			stop()
			t.Logf("%d messages, %+v", s.total, h.Stats())
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// storm is a recoveryWorld in which all connections can be dropped.
type storm struct {
	recoveryWorld
	followers []*follower
	conns     sync.Map // of *stormConn
	late      bool     // the test takes too long
}

type stormConn struct {
	*net.TCPConn
	storm *storm
}

func (c *stormConn) Close() error {
	c.storm.conns.Delete(c)
	return c.TCPConn.Close()
}

// connect makes a connection that can be dropped.
func (s *storm) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &stormConn{conn.(*net.TCPConn), s}
	s.conns.Store(c, nil)
	return c, nil
}

// strike resets all connections, and returns how many there were.
func (s *storm) strike() (n int) {
	s.conns.Range(func(c, _ any) bool {
		n++
		_ = c.(*stormConn).SetLinger(0)
		_ = c.(*stormConn).Close()
		return true
	})
	return n
}

func (s *storm) run(subscribers int) {
	limit := time.AfterFunc(longest, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = true
		s.moved.Broadcast()
	})
	defer limit.Stop()
	var publishing, following sync.WaitGroup
	calm := make(chan struct{})
	for i := range subscribers {
		f := &follower{w: &s.recoveryWorld, who: i, places: make(map[string]hub.Position)}
		f.client = &http.Client{Transport: &http.Transport{DialContext: s.connect}, Timeout: waitLimit}
		s.followers = append(s.followers, f)
	}
	publishing.Go(func() { s.publishUntil(calm) })
	for _, f := range s.followers {
		following.Go(func() { s.follow(f) })
	}
	s.awaitAll()
	for range 2 {
		if n := s.strike(); n < subscribers*9/10 {
			s.t.Errorf("%d connections of %d subscribers", n, subscribers)
		}
		s.awaitAll()
	}
	close(calm)
	publishing.Wait()
	close(s.done)
	for _, channel := range recoveryChannels { // wakes those who have everything
		s.publishOne(channel, "the end")
	}
	following.Wait()
	for _, f := range s.followers {
		if last := len(recoveryChannels); f.seen < s.total-last {
			s.t.Errorf("subscriber %d has seen %d messages of %d", f.who, f.seen, s.total)
		}
	}
}

// awaitAll waits until everybody has everything that is published by now.
func (s *storm) awaitAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.total
	for _, f := range s.followers {
		for f.heard <= total && !s.late && !s.t.Failed() {
			s.moved.Wait()
		}
	}
	if s.late {
		s.t.Error("not everybody has come back in time")
	}
}

// mostBehind is how many messages a subscriber may be behind, on average, before
// publishing waits for them: on a slow machine they would never have everything.
const mostBehind = 50

// publishUntil publishes at a pace that lets so many follow.
func (s *storm) publishUntil(calm <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-calm:
			return
		case <-tick.C:
			if s.behind() > mostBehind {
				continue
			}
			s.publishOne(recoveryChannels[i%len(recoveryChannels)], fmt.Sprint("message ", i))
		}
	}
}

// behind is how many messages a subscriber is behind, on average.
func (s *storm) behind() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := 0
	for _, f := range s.followers {
		heard += f.heard
	}
	return s.total - heard/max(len(s.followers), 1)
}

// follow follows over one transport until everything was seen. Who is dropped comes
// back with full jitter, as the packaged client does, but sooner.
func (s *storm) follow(f *follower) {
	defer f.client.CloseIdleConnections()
	transports := []func() error{f.socket, f.events, f.poll}
	for !f.complete() && !s.t.Failed() {
		f.left = 1 << 30
		if err := transports[f.who%len(transports)](); err != nil {
			s.t.Errorf("subscriber %d: %v", f.who, err)
			s.moved.Broadcast()
		}
		select {
		case <-s.done:
		case <-time.After(rand.N(200 * time.Millisecond)):
		}
	}
	if f.gaps > 0 {
		s.t.Errorf("subscriber %d was told %d gaps in a history that has everything", f.who, f.gaps)
	}
}
