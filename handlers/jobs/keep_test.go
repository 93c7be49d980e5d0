package jobs_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/jobs"
)

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, executor.ClassConfig{Name: "test", Workers: 4}, jobs.Config{KeepResults: time.Minute, JobTimeout: time.Hour})
		first := s.ended(s.post("/jobs?client=a", "string").Location)
		held := s.post("/jobs", "hold")
		time.Sleep(40 * time.Second)
		second := s.ended(s.post("/jobs", "string").Location)
		if first.Expires != time.Now().Add(20*time.Second).UnixMilli() {
			t.Errorf("it expires at %d", first.Expires)
		}
		poll := s.poll(held.Location + "?wait=50")
		time.Sleep(20*time.Second - time.Millisecond)
		s.state(first.Location)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if r := s.do("GET", first.Location, ""); r.Status != 404 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		s.state(second.Location)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if r := s.do("GET", second.Location+"/result", ""); r.Status != 404 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		s.state(held.Location) // what has not ended does not expire
		close(s.open)
		st := parse(t, s.answer(poll).Body)
		if st.State != "done" {
			t.Errorf("%+v", st)
		}
		// A download that has begun goes on.
		x := asgitest.New(t, s.handler, asgitest.HTTPScope("GET", st.Result))
		time.Sleep(time.Hour)
		if r := x.Response(); string(r.Body) != "held " {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if n := s.service.Held(); n != "0 bytes of uploads, 0 of results, 0 jobs wait" {
			t.Error(n)
		}
	})
}

func TestJobTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, oneWorker, jobs.Config{JobTimeout: time.Minute})
		run, wait := s.post("/jobs", "hold 1"), s.post("/jobs", "hold 2")
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, st := range []status{s.state(run.Location), s.state(wait.Location)} {
			if st.State != "failed" || st.Error.Status != 504 {
				t.Errorf("%+v", st)
			}
		}
	})
}

func TestMaxJobs(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 4}, jobs.Config{MaxJobs: 3})
	var ended []string
	for range 3 {
		st := s.ended(s.post("/jobs", "string").Location)
		ended = append(ended, st.Location)
	}
	for i := range 3 {
		s.post("/jobs", "hold")
		for k, location := range ended {
			want := 200
			if k <= i {
				want = 404
			}
			if r := s.do("GET", location, ""); r.Status != want {
				t.Errorf("after %d: job %d: %d", i+1, k, r.Status)
			}
		}
	}
	x := asgitest.New(t, s.handler, asgitest.HTTPScope("POST", "/jobs"))
	s.problem(x.Response(), 503, "too many jobs are known") // before the body
	close(s.open)
}

func TestMaxResultBytes(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{MaxResultBytes: 100, MaxBodyBytes: 1000})
	echo := func(n int) string { return "echo " + strings.Repeat("x", n) }
	first := s.ended(s.post("/jobs", echo(40)).Location)
	second := s.ended(s.post("/jobs", echo(40)).Location)

	// One that is being sent is not dropped by dropping it.
	slow := asgitest.New(t, hold{s.handler}, asgitest.HTTPScope("GET", first.Result))
	third := s.ended(s.post("/jobs", echo(61)).Location)
	if third.State != "failed" || third.Error.Status != 503 || third.Error.RetryAfter != 1 {
		t.Errorf("%+v", third)
	}
	if st := s.state(second.Location); st != second { // it was not dropped in vain
		t.Errorf("%+v", st)
	}
	if st := s.ended(s.post("/jobs", echo(60)).Location); st.State != "done" {
		t.Errorf("%+v", st)
	}
	s.do("DELETE", first.Location, "")
	for _, gone := range []status{first, second} {
		s.problem(s.do("GET", gone.Result, ""), 410, "the result is not kept any more")
		if st := s.state(gone.Location); st.State != "done" || st.Result != "" || st.Version <= gone.Version {
			t.Errorf("%+v", st)
		}
	}
	slow.Drain()
	if r := slow.Response(); len(r.Body) != 40 || !r.Complete {
		t.Errorf("%d bytes were sent", len(r.Body))
	}
	slow.Deliver(&asgi.HTTPDisconnect{})
	left := asgitest.New(t, hold{s.handler}, asgitest.HTTPScope("GET", s.ended(s.post("/jobs", echo(30)).Location).Result))
	left.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})                   // in the middle
	if st := s.ended(s.post("/jobs", echo(100)).Location); st.State != "done" { // all of the room is back
		t.Errorf("%+v", st)
	}
	for range 3 { // results that are not kept give it back, too
		if r := s.do("POST", "/jobs", echo(100), prefer("wait=50")); len(r.Body) != 100 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	if st := s.ended(s.post("/jobs", echo(101)).Location); st.State != "failed" || st.Error.Status != 500 {
		t.Errorf("%+v", st)
	}
}

// hold opens exchanges whose outbox is full.
type hold struct{ asgi.Handler }

func (h hold) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	x.(*asgitest.Exchange).Congest()
	return h.Handler.Open(scope, x)
}

// A large result leaves in pieces, as fast as the peer takes them.
func TestLargeResult(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	body := strings.Repeat("0123456789", 100_000)
	st := s.ended(s.post("/jobs", "echo "+body).Location)
	x := asgitest.New(t, hold{s.handler}, asgitest.HTTPScope("GET", st.Result))
	if r := x.Response(); len(r.Body) > 0 {
		t.Errorf("%d bytes into a full outbox", len(r.Body))
	}
	x.Drain()
	if r := x.Response(); string(r.Body) != body || r.Header("content-length") != "1000000" || !r.Complete {
		t.Errorf("%d bytes, %v", len(r.Body), r.Headers)
	}
	for _, ev := range x.Sent()[1:] {
		if n := asgi.Size(ev); n > 64<<10 {
			t.Errorf("a piece of %d bytes", n)
		}
	}
}

// Ten times more than there is room for is refused, and holds no memory.
func TestOverload(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 1, QueueJobs: 200, ClientJobs: -1}, jobs.Config{})
	body := "hold " + strings.Repeat("x", 10_000)
	s.request("POST", "/jobs", body, prefer("wait=50"))
	<-s.began
	var accepted, refused int
	heap := func() (n uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before uint64
	for i := range 2000 {
		x := asgitest.New(discardCleanup{t}, s.handler, asgitest.HTTPScope("POST", "/jobs", prefer("wait=50")))
		x.Deliver(&asgi.HTTPRequest{Body: []byte(body)})
		switch r := x.Response(); r.Status {
		case 0:
			accepted++
			t.Cleanup(func() { x.Deliver(&asgi.HTTPDisconnect{}) })
		case 503:
			refused++
			if r.Header("retry-after") == "" {
				t.Fatal("no Retry-After")
			}
		default:
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if i == 300 {
			before = heap()
		}
	}
	if accepted != 200 || refused != 1800 {
		t.Errorf("%d were accepted, %d refused", accepted, refused)
	}
	if after := heap(); after > before+2<<20 { // 1,700 bodies are 17 MB
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	close(s.open)
}

// discardCleanup lets exchanges be garbage before the test is over.
type discardCleanup struct{ testing.TB }

func (discardCleanup) Cleanup(func()) {}

// Everything at once, on many loops: every request is answered, and in the end
// the service and the class hold nothing.
func TestManyLoops(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 4, QueueJobs: 50, ClientJobs: -1},
		jobs.Config{PositionInterval: time.Millisecond, MaxJobs: 40, MaxResultBytes: 500, KeepResults: 5 * time.Millisecond})
	var loops sync.WaitGroup
	for loop := range 6 {
		loops.Go(func() {
			client := fmt.Sprint("/jobs?client=", loop%2)
			feed := asgitest.New(t, s.handler, asgitest.WebSocketScope("/jobs/events"+client[5:]))
			feed.Deliver(&asgi.WebSocketConnect{})
			for i := range 60 {
				x := asgitest.New(t, s.handler, asgitest.HTTPScope("POST", client, prefer(fmt.Sprint("wait=", i%3))))
				x.Deliver(&asgi.HTTPRequest{Body: []byte("echo " + strings.Repeat("x", i))})
				if i%5 == 4 {
					x.Deliver(&asgi.HTTPDisconnect{})
					continue
				}
				x.Advance(time.Duration(i%4) * time.Second)
				x.Wait("the answer", func() bool { x.Advance(10 * time.Millisecond); return x.Response().Complete })
				r := x.Response()
				if r.Status == 202 {
					location := parse(t, r.Body).Location
					for _, part := range []string{"?wait=1", "/result?wait=1", "/events"} {
						x := asgitest.New(t, s.handler, asgitest.HTTPScope("GET", location+part))
						if i%7 == 0 {
							x.Deliver(&asgi.HTTPRequest{}, &asgi.HTTPDisconnect{})
							continue
						}
						x.Wait("the answer", func() bool { x.Advance(10 * time.Millisecond); return x.Response().Complete })
					}
					if i%2 == 0 {
						asgitest.Do(t, s.handler, asgitest.HTTPScope("DELETE", location), nil)
					}
				}
				feed.Deliver(binary("string"))
			}
			feed.Deliver(&asgi.WebSocketDisconnect{Code: 1001})
		})
	}
	loops.Wait()
	s.service.Close()
	s.queue(0, 0)
	if n := s.service.Held(); n != "0 bytes of uploads, 0 of results, 0 jobs wait" {
		t.Error(n)
	}
}

func TestNewRefusesConfigs(t *testing.T) {
	e, err := executor.New(executor.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	class := e.Class(executor.Blocking)
	accept := func(*jobs.Request) (executor.Job, error) { return executor.Job{}, nil }
	for _, config := range []jobs.Config{
		{},
		{Class: class},
		{Accept: accept},
		{Class: class, Accept: accept, MaxJobs: -1},
		{Class: class, Accept: accept, KeepResults: -1},
		{Class: class, Accept: accept, Heartbeat: -1},
	} {
		if _, err := jobs.New(config); err == nil {
			t.Errorf("accepted %+v", config)
		}
	}
}
