package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/jobs"
)

func TestPostWaits(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	for _, c := range []struct{ body, contentType, want, wantType string }{
		{"echo hello", "text/x", "hello", "text/x"},
		{"echo hello", "", "hello", "application/octet-stream"},
		{"json", "", `{"n":1}`, "application/json"},
		{"bytes", "", "bytes", "application/octet-stream"},
		{"string", "", "string", "text/plain; charset=utf-8"},
		{"nothing", "", "", "application/octet-stream"},
		{"html text/html\r\nx: y", "", "x", "application/octet-stream"},
	} {
		for _, path := range []string{"/jobs", "/jobs/"} {
			r := s.do("POST", path, c.body, prefer("wait=5"), asgi.Header{Name: "content-type", Value: c.contentType})
			if r.Status != 200 || string(r.Body) != c.want || r.Header("content-type") != c.wantType ||
				r.Header("preference-applied") != "wait=5" || r.Header("location") != "" || r.Header("cache-control") != "no-store" {
				t.Errorf("%q: %d %v %q", c.body, r.Status, r.Headers, r.Body)
			}
		}
	}
}

func TestPostIsAccepted(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	r := s.do("POST", "/jobs", "hold 1")
	first := parse(t, r.Body)
	if r.Status != 202 || r.Header("location") != first.Location || first.Location != "/jobs/"+first.ID ||
		len(first.ID) < 20 || r.Header("retry-after") != "1" || r.Header("content-type") != "application/json" ||
		r.Header("preference-applied") != "" {
		t.Errorf("%d %v %s", r.Status, r.Headers, r.Body)
	}
	s.begins("hold 1")
	if st := s.state(first.Location); st.State != "running" || st.ID != first.ID || st.Result != "" {
		t.Errorf("%+v", st)
	}
	second := s.post("/jobs", "hold 2")
	third := s.post("/jobs", "hold 3")
	if second.State != "queued" || second.Position != 1 || third.Position != 2 {
		t.Errorf("%+v, %+v", second, third)
	}
	close(s.open)
	st := s.ended(third.Location)
	if st.State != "done" || st.Percent != 100 || st.Result != third.Location+"/result" || st.Bytes != 6 ||
		st.ContentType != "text/plain; charset=utf-8" || st.Error != nil || st.Expires < time.Now().UnixMilli() {
		t.Errorf("%+v", st)
	}
	for range 2 { // a result can be had again
		r = s.do("GET", st.Result, "")
		if r.Status != 200 || string(r.Body) != "held 3" || r.Header("content-type") != st.ContentType ||
			r.Header("x-content-type-options") != "nosniff" {
			t.Errorf("%d %v %q", r.Status, r.Headers, r.Body)
		}
	}
}

// A wait that is over becomes a 202, and the job lives on.
func TestPostWaitsInVain(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{MaxWait: 20 * time.Second})
	x := s.request("POST", "/jobs", "hold", prefer("respond-async, wait=1000"))
	s.begins("hold ")
	x.Advance(20*time.Second - time.Nanosecond)
	if x.Response().Status != 0 {
		t.Fatalf("answered with %d", x.Response().Status)
	}
	x.Advance(time.Nanosecond)
	r := s.answer(x)
	if r.Status != 202 || r.Header("preference-applied") != "respond-async, wait=20" {
		t.Errorf("%d %v", r.Status, r.Headers)
	}
	x.Deliver(&asgi.HTTPDisconnect{})
	close(s.open)
	if st := s.ended(parse(t, r.Body).Location); st.State != "done" {
		t.Errorf("%+v", st)
	}
}

func TestPostRefused(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 1, QueueJobs: 1, ClientJobs: 1}, jobs.Config{MaxBodyBytes: 20})
	wait := prefer("wait=9")
	for _, c := range []struct {
		target, body string
		status       int
		detail       string
	}{
		{"/jobs", "", 400, "what is to be done?"},
		{"/jobs", "brew", 418, "I am a teapot"},
		{"/jobs", "secret", 500, "the request failed"},
		{"/jobs", "teapot", 418, "I am a teapot"},
		{"/jobs", "fail", 500, "the job failed"},
		{"/jobs", "unjson", 500, "the job failed"},
		{"/jobs", "panic", 500, "the job failed"},
		{"/jobs", "panicpot", 500, "the job failed"},
		{"/jobs", "deadline", 504, "the job took too long"},
		{"/jobs", "late", 504, "the job took too long"},
		{"/jobs", "cancelled", 503, "the job was cancelled"},
		{"/jobs", "huge", 413, "the job needs more memory than a job may have"},
		{"/jobs", "echo 1234567890123456", 413, "the body is too large"},
		{"/jobs?client=nobody", "echo", 401, "who are you?"},
	} {
		s.problem(s.do("POST", c.target, c.body, wait), c.status, c.detail)
	}
	logged := s.logs.String()
	for _, want := range []string{"unexpected EOF", "a secret of the job", "unsupported type"} {
		if !strings.Contains(logged, want) {
			t.Errorf("not logged: %q", want)
		}
	}
	s.post("/jobs?client=a", "hold 1")
	s.begins("hold 1")
	r := s.do("POST", "/jobs?client=a", "hold 2")
	s.problem(r, 429, "you have as many jobs as one client may have")
	s.post("/jobs", "hold 3")
	r = s.do("POST", "/jobs", "hold 4")
	s.problem(r, 503, "too many jobs are waiting")
	if r.Header("retry-after") == "" || r.Header("retry-after") == "0" {
		t.Errorf("Retry-After is %q", r.Header("retry-after"))
	}
	close(s.open)
}

func TestLengthIsAnnounced(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{MaxBodyBytes: 20})
	x := asgitest.New(t, s.handler, asgitest.HTTPScope("POST", "/jobs", asgi.Header{Name: "content-length", Value: "21"}))
	s.problem(x.Response(), 413, "the body is too large") // before the body
}

// broken is an exchange whose peer is gone, before the disconnect says so.
type broken struct{ asgi.Exchange }

func (broken) Send(asgi.SendEvent) error { return asgi.ErrDisconnected }

// A job lives without its connection only if its client was told of it.
func TestAcceptedInVain(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	h := asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		return s.handler.Open(scope, broken{x})
	})
	asgitest.New(t, h, asgitest.HTTPScope("POST", "/jobs")).Deliver(&asgi.HTTPRequest{Body: []byte("hold")})
	s.queue(0, 0)
}

// The body is what a job costs, unless Accept says otherwise.
func TestCost(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold 12345")
	if n := s.class.Stats().Bytes; n != 10 {
		t.Errorf("it costs %d bytes", n)
	}
	close(s.open)
}

// Accept may break without harm to others.
func TestAcceptPanics(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	x := s.request("POST", "/jobs", "explode")
	if x.Err() == nil {
		t.Error("the exchange goes on")
	}
	k := s.socket("/jobs/events")
	s.post("/jobs", "hold")
	s.begins("hold ")
	k.Deliver(binary("hold"), binary("explode"))
	if k.Err() == nil {
		t.Error("the exchange goes on")
	}
	s.queue(1, 0)
	close(s.open)
	s.service.Close()
	if n := s.service.Held(); n != "0 bytes of uploads, 0 of results, 0 jobs wait" {
		t.Error(n)
	}
}
