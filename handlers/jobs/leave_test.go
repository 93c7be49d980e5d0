package jobs_test

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/jobs"
)

// A client that leaves before its 202 takes its job with it.
func TestDisconnectWhileQueued(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold 1")
	s.begins("hold 1")
	x := s.request("POST", "/jobs", "hold 2", prefer("wait=50"))
	s.queue(1, 1)
	x.Deliver(&asgi.HTTPDisconnect{})
	if stats := s.class.Stats(); stats.Waiting != 0 || stats.Cancelled != 1 {
		t.Errorf("%d wait, %d were cancelled", stats.Waiting, stats.Cancelled)
	}
	close(s.open)
}

func TestDisconnectWhileRunning(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	x := s.request("POST", "/jobs", "hold", prefer("wait=50"))
	s.begins("hold ")
	x.Deliver(&asgi.HTTPDisconnect{})
	s.queue(0, 0) // its context was cancelled
}

func TestDisconnectWhileReceiving(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{MaxUploadBytes: 10, MaxBodyBytes: 10})
	x := asgitest.New(t, s.handler, asgitest.HTTPScope("POST", "/jobs"))
	x.Deliver(&asgi.HTTPRequest{Body: []byte("echo 123"), MoreBody: true})
	s.problem(s.do("POST", "/jobs", "echo"), 503, "too many requests are being received")
	x.Deliver(&asgi.HTTPDisconnect{})
	if r := s.do("POST", "/jobs", "echo 12345", prefer("wait=9")); string(r.Body) != "12345" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	for range 3 { // refused ones give their memory back, too
		s.problem(s.do("POST", "/jobs", "echo 123456"), 413, "the body is too large")
	}
	if r := s.do("POST", "/jobs", "echo 12345", prefer("wait=9")); string(r.Body) != "12345" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// A thousand connections with a job each, then one with a thousand: when they
// go, the queue is free at once.
func TestThousandQueuedJobsAreFreedAtOnce(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold first")
	s.begins("hold first")

	var waiting []*asgitest.Exchange
	for range 1000 {
		waiting = append(waiting, s.request("POST", "/jobs", "hold", prefer("wait=50")))
	}
	s.queue(1, 1000)
	for _, x := range waiting {
		x.Deliver(&asgi.HTTPDisconnect{})
	}
	if n := s.class.Stats().Waiting; n != 0 {
		t.Errorf("HTTP: %d jobs wait", n)
	}

	for _, target := range []string{"/jobs/events", "/jobs/events?client=a"} {
		k := s.socket(target)
		for range 1000 {
			k.Deliver(&asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte("hold")})
		}
		s.queue(1, 1000)
		k.Deliver(&asgi.WebSocketDisconnect{Code: 1006})
		if n := s.class.Stats().Waiting; n != 0 {
			t.Errorf("%s: %d jobs wait", target, n)
		}
	}
	close(s.open)
}

// Ten thousand jobs of one client make one of another wait for one job's run.
func TestClientsTakeTurns(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{MaxJobs: 20_000})
	var bodies []asgi.ReceiveEvent
	for i := range 10_000 {
		bodies = append(bodies, binary(fmt.Sprint("hold ", i)))
	}
	s.socket("/jobs/events?client=many").Deliver(bodies...)
	s.begins("hold 0")
	one := s.post("/jobs?client=one", "hold one")
	if one.Position > 2 {
		t.Errorf("it is number %d", one.Position)
	}
	close(s.open)
	for i := 0; ; i++ {
		if body := <-s.began; body == "hold one" {
			if i > 1 {
				t.Errorf("%d others ran first", i)
			}
			break
		}
	}
	if st := s.ended(one.Location); st.State != "done" {
		t.Errorf("%+v", st)
	}
}
