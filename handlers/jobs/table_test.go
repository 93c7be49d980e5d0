package jobs

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
)

func newService(t testing.TB, config Config) *Service {
	t.Helper()
	e, err := executor.New(executor.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	config.Class = e.Class(executor.Blocking)
	config.Accept = func(*Request) (executor.Job, error) { return executor.Job{}, nil }
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

const nothingHeld = "0 bytes of uploads, 0 of results, 0 jobs wait"

// A result may be on its way when the job is forgotten or cancelled.
func TestLateResult(t *testing.T) {
	s := newService(t, Config{})
	forgotten, _ := s.add("a", nil)
	s.forget(forgotten)
	s.finished(forgotten, "too late", nil)
	s.finished(forgotten, nil, context.Canceled)
	s.started(forgotten)
	if n := s.Held(); n != nothingHeld || len(s.jobs) != 0 {
		t.Error(n)
	}

	j, _ := s.add("a", nil)
	s.mu.Lock()
	s.publish(j)
	s.mu.Unlock()
	s.cancel(j.id, nil)
	version := j.version
	s.finished(j, "too late", nil)
	s.progressed(j, executor.Progress{Percent: 50})
	s.started(j)
	if n := s.Held(); n != nothingHeld || j.state != cancelled || j.version != version {
		t.Errorf("%s, %+v", n, j)
	}
}

// A job may have ended when its client learns of it.
func TestEndedBeforePublished(t *testing.T) {
	s := newService(t, Config{MaxJobs: 1})
	j, _ := s.add("", nil)
	s.finished(j, "soon", nil)
	if _, p := s.add("", nil); p != tooMany {
		t.Error("it gave its place away before its client knew it")
	}
	s.mu.Lock()
	s.publish(j)
	s.mu.Unlock()
	if s.ended.Len() != 1 || s.kept.Len() != 1 {
		t.Errorf("%d have ended, %d results are kept", s.ended.Len(), s.kept.Len())
	}
	if _, p := s.add("", nil); p != nil {
		t.Error(p)
	}
	if n := s.Held(); n != "0 bytes of uploads, 0 of results, 1 jobs wait" {
		t.Error(n)
	}
}

// What no client knows yet none can name.
func TestNotPublic(t *testing.T) {
	s := newService(t, Config{})
	j, _ := s.add("", nil)
	if s.cancel(j.id, nil) {
		t.Error("it was cancelled")
	}
}

// poster counts posts and runs none.
type poster struct {
	asgi.Exchange
	posts int
}

func (p *poster) Post(func()) bool { p.posts++; return true }

// However many changes there are, a loop is asked once to look.
func TestToldOnce(t *testing.T) {
	s := newService(t, Config{})
	g := newGroup("")
	x := &poster{}
	f := &follower{x: x}
	s.mu.Lock()
	s.follow(f, nil, g)
	s.mu.Unlock()
	for range 3 {
		j, _ := s.add("", g)
		s.mu.Lock()
		told := s.publish(j)
		s.mu.Unlock()
		tell(told)
		for percent := range 100 {
			s.progressed(j, executor.Progress{Percent: percent})
		}
	}
	if x.posts != 1 || len(f.news) != 3 {
		t.Errorf("%d posts, %d jobs with news", x.posts, len(f.news))
	}
}

// In a long queue places are looked up seldom.
func TestLookUpsAreBounded(t *testing.T) {
	s := newService(t, Config{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = stepsInARow / 2
	granted := 0
	for s.affordable() {
		s.steps -= float64(s.waiting)
		granted++
	}
	if granted < 1 || granted > 4 {
		t.Errorf("%d look-ups in a row", granted)
	}
}

// The bytes of an event are lent for the call.
func TestSocketCopiesTheBody(t *testing.T) {
	s := newService(t, Config{})
	var got []byte
	s.config.Accept = func(r *Request) (executor.Job, error) {
		got = r.Body
		return executor.Job{}, &Error{Status: 400}
	}
	k := asgitest.New(t, s, asgitest.WebSocketScope("/events"))
	k.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte("lent")})
	if !bytes.Equal(got, []byte("lent")) {
		t.Errorf("%q", got)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 1500 * time.Millisecond: 2} {
		if p := newProblem(503, "", d); p.RetryAfter != want {
			t.Errorf("%v: %d", d, p.RetryAfter)
		}
	}
	for _, status := range []int{0, 200, 399, 600} {
		if p := newProblem(status, "", 0); p.Status != 500 {
			t.Errorf("%d became %d", status, p.Status)
		}
	}
}
