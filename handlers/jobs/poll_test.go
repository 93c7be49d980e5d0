package jobs_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/jobs"
)

// poll opens a GET that may be parked.
func (s *shop) poll(target string, headers ...asgi.Header) *asgitest.Exchange {
	return s.request("GET", target, "", headers...)
}

func parked(t testing.TB, x *asgitest.Exchange) {
	t.Helper()
	x.Run()
	if r := x.Response(); r.Status != 0 {
		t.Fatalf("answered with %d %s", r.Status, r.Body)
	}
}

func TestPollForTheEnd(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "step")
	s.begins("step ")
	state, result := s.poll(job.Location+"?wait=30"), s.poll(job.Location+"/result", prefer("wait=30"))
	s.steps <- 50
	s.steps <- 60
	parked(t, state)
	parked(t, result)
	close(s.steps)
	r := s.answer(state)
	if st := parse(t, r.Body); st.State != "done" || r.Header("preference-applied") != "wait=30" ||
		r.Header("etag") != strconv.Quote(strconv.Itoa(st.Version)) || r.Header("cache-control") != "no-store" {
		t.Errorf("%v %s", r.Headers, r.Body)
	}
	if r := s.answer(result); string(r.Body) != "stepped" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestPollForNews(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "step")
	s.begins("step ")
	st := s.state(job.Location)
	for _, percent := range []int{10, 20, 30} {
		since := s.poll(fmt.Sprintf("%s?wait=30&since=%d", job.Location, st.Version))
		tagged := s.poll(job.Location+"?wait=30", asgi.Header{Name: "if-none-match", Value: fmt.Sprintf(`"%d"`, st.Version)})
		parked(t, since)
		parked(t, tagged)
		s.steps <- percent
		next := parse(t, s.answer(since).Body)
		if next.Percent != percent || next.Version <= st.Version {
			t.Errorf("%+v after %+v", next, st)
		}
		if r := s.answer(tagged); r.Status != 200 || parse(t, r.Body) != next {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		st = next
	}
	// A version that is not the last one is answered at once, also one that
	// never was.
	for _, since := range []int{0, st.Version - 1, st.Version + 100} {
		if got := parse(t, s.do("GET", fmt.Sprintf("%s?wait=30&since=%d", job.Location, since), "").Body); got != st {
			t.Errorf("%+v, want %+v", got, st)
		}
	}
	close(s.steps)
	st = s.ended(job.Location)
	// And so is every version of a job that has ended.
	if got := parse(t, s.do("GET", fmt.Sprintf("%s?wait=30&since=%d", job.Location, st.Version), "").Body); got != st {
		t.Errorf("%+v, want %+v", got, st)
	}
}

func TestPollInVain(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{MaxWait: 16 * time.Second})
	job := s.post("/jobs", "hold")
	s.begins("hold ")
	st := s.state(job.Location)
	tag := asgi.Header{Name: "if-none-match", Value: fmt.Sprintf(`"%d"`, st.Version)}
	for _, c := range []struct {
		part    string
		headers []asgi.Header
		status  int
	}{
		{"?wait=99", nil, 200},
		{fmt.Sprintf("?wait=99&since=%d", st.Version), nil, 200},
		{"?wait=99", []asgi.Header{tag}, 304},
		{"", []asgi.Header{prefer("wait=99"), tag}, 304},
		{"/result?wait=99", nil, 409},
	} {
		x := s.poll(job.Location+c.part, c.headers...)
		x.Advance(14 * time.Second)
		parked(t, x)
		x.Advance(2 * time.Second)
		r := s.answer(x)
		if r.Status != c.status || r.Header("preference-applied") != "wait=16" {
			t.Errorf("%q %v: %d %v", c.part, c.headers, r.Status, r.Headers)
		}
		if r.Status != 304 && r.Header("retry-after") != "1" {
			t.Errorf("%q: Retry-After is %q", c.part, r.Header("retry-after"))
		}
	}
	close(s.open)
}

func TestPollWithoutWait(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "hold")
	s.begins("hold ")
	st := s.state(job.Location)
	version := strconv.Itoa(st.Version)
	s.problem(s.do("GET", job.Location+"/result", ""), 409, "the job has not ended")
	for value, want := range map[string]int{
		fmt.Sprintf(`"%d"`, st.Version):                         304,
		fmt.Sprintf(`W/"%d"`, st.Version):                       304,
		fmt.Sprintf(`"%d-gzip"`, st.Version):                    304,
		fmt.Sprintf(`W/"%d;br"`, st.Version):                    304,
		fmt.Sprintf(`"x", W/"0",	"%d"`, st.Version):             304,
		fmt.Sprintf(`"0",,"%d", "7"`, st.Version):               304,
		strings.Repeat(`"x",`, 10_000) + `"` + version + `"`:    304,
		strings.Repeat(`"0",`, 7) + `"` + version + `"`:         304,
		strings.Repeat(`"0",`, 8) + `"` + version + `"`:         200, // of versions so many are looked at
		strings.Repeat(`"`+strings.Repeat("1", 40)+`",`, 1_000): 200,
		`"` + version + strings.Repeat("0", 60_000) + `"`:       200,
		`"` + version: 200,
		version:       200,
		`"" `:         200,
		`"`:           200,
		"*":           304,
		`"0"`:         200,
		"x":           200,
	} {
		if r := s.do("GET", job.Location, "", asgi.Header{Name: "if-none-match", Value: value}); r.Status != want {
			t.Errorf("If-None-Match: %s: %d", value, r.Status)
		}
	}
	if r := s.do("HEAD", job.Location, ""); r.Status != 200 {
		t.Errorf("HEAD: %d", r.Status)
	}
	close(s.open)
}

func TestBadRequests(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "hold")
	const unknown = "no such job, or it is not kept any more"
	for _, c := range []struct {
		method, target string
		status         int
		detail         string
		allow          string
	}{
		{"GET", "/jobs/nothing", 404, unknown, ""},
		{"GET", "/jobs/nothing/result", 404, unknown, ""},
		{"GET", "/jobs/nothing/events", 404, unknown, ""},
		{"DELETE", "/jobs/nothing", 404, unknown, ""},
		{"GET", job.Location + "/", 200, "", ""},
		{"GET", job.Location + "/x", 404, unknown, ""},
		{"GET", job.Location + "/result/x", 404, unknown, ""},
		{"GET", "/jobs/events", 404, "the request names no client", ""},
		{"GET", "/jobs/events?client=nobody", 401, "who are you?", ""},
		{"GET", job.Location + "?wait=x", 400, "wait is a number of seconds", ""},
		{"GET", job.Location + "?wait=-1", 400, "wait is a number of seconds", ""},
		{"GET", job.Location + "?since=x", 400, "since is the version of an earlier answer", ""},
		{"GET", "/jobs/", 405, "", "POST"},
		{"PUT", job.Location, 405, "", "DELETE, GET, HEAD"},
		{"DELETE", job.Location + "/result", 405, "", "GET, HEAD"},
		{"POST", job.Location + "/events", 405, "", "GET"},
		{"POST", "/jobs/events", 405, "", "GET"},
	} {
		r := s.do(c.method, c.target, "")
		if r.Header("allow") != c.allow {
			t.Errorf("%s %s: Allow is %q", c.method, c.target, r.Header("allow"))
		}
		if c.status != 200 {
			s.problem(r, c.status, c.detail)
		} else if r.Status != 200 {
			t.Errorf("%s %s: %d", c.method, c.target, r.Status)
		}
	}
	if r := s.do("GET", "/jobs", ""); r.Status != 405 || r.Header("allow") != "POST" {
		t.Errorf("GET /jobs: %d %v", r.Status, r.Headers)
	}
	close(s.open)
}

func TestDelete(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	run, wait := s.post("/jobs", "hold 1"), s.post("/jobs", "hold 2")
	s.begins("hold 1")
	polls := []*asgitest.Exchange{s.poll(run.Location + "?wait=30"), s.poll(wait.Location + "/result?wait=30")}
	for _, location := range []string{wait.Location, run.Location, run.Location} {
		if r := s.do("DELETE", location, ""); r.Status != 204 || len(r.Body) > 0 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	if st := parse(t, s.answer(polls[0]).Body); st.State != "cancelled" || st.Error.Status != 410 || st.Expires == 0 {
		t.Errorf("%+v", st)
	}
	s.problem(s.answer(polls[1]), 410, "the job was cancelled")
	s.queue(0, 0)

	ended := s.post("/jobs", "string")
	before := s.ended(ended.Location)
	if r := s.do("DELETE", ended.Location, ""); r.Status != 204 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if st := s.state(ended.Location); st.State != "done" || st.Result != "" || st.Version <= before.Version {
		t.Errorf("%+v after %+v", st, before)
	}
	s.problem(s.do("GET", ended.Location+"/result", ""), 410, "the result is not kept any more")
	if r := s.do("DELETE", ended.Location, ""); r.Status != 204 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestFailedJob(t *testing.T) {
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 1}, jobs.Config{})
	for body, want := range map[string]int{"panic": 500, "fail": 500, "teapot": 418, "deadline": 504, "cancelled": 503} {
		st := s.ended(s.post("/jobs", body).Location)
		if st.Error == nil || st.Error.Status != want || st.Result != "" || st.State != "failed" && body != "cancelled" {
			t.Errorf("%s: %+v", body, st)
		}
		s.problem(s.do("GET", st.Location+"/result", ""), want, st.Error.Detail)
	}
	s.post("/jobs", "hold")
	s.begins("hold ")
	st := s.ended(s.post("/jobs", "impatient").Location)
	if st.Error == nil || st.Error.Status != 503 || st.Error.RetryAfter < 1 {
		t.Errorf("%+v", st)
	}
	close(s.open)
}

// Jobs with one key run once; each has its own state, and the last that is
// cancelled ends the run.
func TestSharedKey(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{PositionInterval: time.Millisecond})
	a := s.post("/jobs?key=k", "hold")
	s.begins("hold ")
	b := s.post("/jobs?key=k", "hold")
	if b.State != "running" {
		t.Errorf("%+v", b)
	}
	s.do("DELETE", a.Location, "")
	s.queue(1, 0)
	close(s.open)
	if r := s.do("GET", b.Location+"/result?wait=30", ""); string(r.Body) != "held " {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// The place in the queue is news for those who follow.
func TestPosition(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{PositionInterval: time.Millisecond})
	s.post("/jobs", "hold 1")
	s.begins("hold 1")
	second, third := s.post("/jobs", "hold 2"), s.post("/jobs", "hold 3")
	x := s.poll(fmt.Sprintf("%s?wait=50&since=%d", third.Location, third.Version))
	s.do("DELETE", second.Location, "")
	if st := parse(t, s.answer(x).Body); st.Position != 1 {
		t.Errorf("%+v", st)
	}
	close(s.open)
}

func TestManyPollersOfOneJob(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{MaxFollowers: 500})
	job := s.post("/jobs", "hold")
	s.begins("hold ")
	var polls []*asgitest.Exchange
	for range 500 {
		polls = append(polls, s.poll(job.Location+"?wait=50"))
	}
	s.problem(s.do("GET", job.Location+"?wait=50", ""), 503, "too many wait for this already")
	for _, x := range polls[:100] { // in some order, which unlinks from the middle
		x.Deliver(&asgi.HTTPDisconnect{})
	}
	parked(t, s.poll(job.Location+"?wait=50"))
	close(s.open)
	for _, x := range polls[100:] {
		if st := parse(t, s.answer(x).Body); st.State != "done" {
			t.Fatalf("%+v", st)
		}
	}
}
