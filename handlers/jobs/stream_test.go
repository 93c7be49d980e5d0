package jobs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers/jobs"
)

// events parses what an event stream has sent so far: "event id" for each, and
// the comments and retries.
func events(t testing.TB, x *asgitest.Exchange) (all []string) {
	t.Helper()
	for _, block := range strings.SplitAfter(string(x.Response().Body), "\n\n") {
		if block == "" {
			continue
		}
		var words []string
		var st status
		for _, line := range strings.Split(strings.TrimSuffix(block, "\n\n"), "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "data":
				st = parse(t, []byte(value))
			case "event", "retry":
				words = append(words, name, value)
			case ":":
				words = append(words, ":")
			case "id":
				words = append(words, value)
			default:
				t.Fatalf("%q", block)
			}
		}
		if st.State != "" && (!strings.Contains(block, "event: "+st.State+"\n") || st.Type != "") {
			t.Errorf("%q", block)
		}
		if st.State == "running" {
			words = append(words, fmt.Sprint(st.Percent, "%"))
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// streams waits until the events of a stream fit patterns.
func (s *shop) streams(x *asgitest.Exchange, want ...string) []string {
	s.t.Helper()
	x.Wait(fmt.Sprint("event ", len(want)), func() bool {
		return strings.Count(string(x.Response().Body), "\n\n") >= len(want)
	})
	got := events(s.t, x)
	for i, pattern := range want {
		if len(got) != len(want) || !regexp.MustCompile("^"+pattern+"$").MatchString(got[i]) {
			s.t.Fatalf("got %q, want %q", got, want)
		}
	}
	return got
}

const retryPattern = `retry [2-4]\d\d\d`

func TestStreamOfOneJob(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold")
	s.begins("hold ")
	job := s.post("/jobs", "step")
	x := s.poll(job.Location + "/events")
	want := []string{retryPattern, `\d+ event queued`}
	s.streams(x, want...)
	r := x.Response()
	if r.Status != 200 || r.Header("content-type") != "text/event-stream" || r.Header("cache-control") != "no-store, no-transform" ||
		r.Header("x-accel-buffering") != "no" {
		t.Errorf("%d %v", r.Status, r.Headers)
	}
	close(s.open)
	s.begins("step ")
	want = append(want, `\d+ event running 0%`)
	s.streams(x, want...)
	s.steps <- 30
	want = append(want, `\d+ event running 30%`)
	s.streams(x, want...)
	close(s.steps)
	got := s.streams(x, append(want, `\d+ event done`)...)
	if !x.Response().Complete {
		t.Error("it goes on after the end")
	}

	// Who has seen the end and comes back is told not to; who has not gets it.
	last, _, _ := strings.Cut(got[len(got)-1], " ")
	if r := s.do("GET", job.Location+"/events", "", asgi.Header{Name: "last-event-id", Value: last}); r.Status != 204 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.do("GET", job.Location+"/events?last_event_id="+last, ""); r.Status != 204 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := s.service.Followers(job.ID); n != 0 {
		t.Errorf("%d follow it", n)
	}
	x = s.poll(job.Location+"/events", asgi.Header{Name: "last-event-id", Value: "1"})
	s.streams(x, retryPattern, last+" event done")
}

func TestStreamOfAClient(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs?client=a", "hold")
	s.begins("hold ")
	s.post("/jobs?client=b", "string")
	x := s.poll("/jobs/events?client=a")
	s.streams(x, retryPattern, "event running 0%")
	s.request("POST", "/jobs?client=a", "hold", prefer("wait=50")) // nobody knows it yet
	job := s.post("/jobs?client=a", "string")
	s.streams(x, retryPattern, "event running 0%", "event queued")
	s.do("DELETE", job.Location, "")
	s.streams(x, retryPattern, "event running 0%", "event queued", "event cancelled")
	close(s.open)
	s.streams(x, retryPattern, "event running 0%", "event queued", "event cancelled", "event done")
	x.Deliver(&asgi.HTTPDisconnect{})
	s.post("/jobs?client=a", "string")
}

// What a peer that does not read has missed is the states in between.
func TestSlowStream(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "step")
	s.begins("step ")
	x, left := s.poll(job.Location+"/events"), s.poll(job.Location+"/events")
	s.streams(x, retryPattern, `\d+ event running 0%`)
	x.Congest()
	for percent := range 50 {
		s.steps <- percent
	}
	left.Deliver(&asgi.HTTPDisconnect{})
	if n := s.service.Followers(job.ID); n != 1 {
		t.Errorf("%d follow it", n)
	}
	close(s.steps)
	s.ended(job.Location)
	x.Run()
	s.streams(x, retryPattern, `\d+ event running 0%`)
	x.Drain()
	s.streams(x, retryPattern, `\d+ event running 0%`, `\d+ event done`)
}

func TestHeartbeatAndAge(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{Heartbeat: time.Minute, MaxStreamAge: 10 * time.Minute})
	job := s.post("/jobs", "step")
	s.begins("step ")
	x := s.poll(job.Location + "/events")
	want := []string{retryPattern, `\d+ event running 0%`}
	s.streams(x, want...)
	x.Advance(time.Minute) // there was something in this minute
	s.streams(x, want...)
	x.Advance(time.Minute)
	want = append(want, ":")
	s.streams(x, want...)
	s.steps <- 7
	want = append(want, `\d+ event running 7%`)
	s.streams(x, want...)
	x.Advance(time.Minute)
	s.streams(x, want...)
	x.Congest()
	x.Advance(4 * time.Minute) // comments would pile up
	s.streams(x, want...)
	if x.Response().Complete {
		t.Error("it has ended")
	}
	x.Advance(4 * time.Minute)
	if !x.Response().Complete {
		t.Error("it has not ended")
	}
	close(s.steps)
}

func TestDrain(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs?client=a", "hold 1")
	s.begins("hold 1")
	state, result := s.poll(job.Location+"?wait=50"), s.poll(job.Location+"/result?wait=50")
	one, all := s.poll(job.Location+"/events"), s.poll("/jobs/events?client=a")
	socket := s.socket("/jobs/events?client=a")
	post := s.request("POST", "/jobs", "hold 2", prefer("wait=50"))
	drain := &asgi.Drain{Deadline: time.Now().Add(10 * time.Second)}
	for _, x := range []*asgitest.Exchange{state, result, one, all, socket, post} {
		x.Deliver(drain)
	}
	if st := parse(t, s.answer(state).Body); st.State != "running" {
		t.Errorf("%+v", st)
	}
	s.problem(s.answer(result), 409, "the job has not ended")
	for _, x := range []*asgitest.Exchange{one, all} {
		if r := s.answer(x); !regexp.MustCompile(`\n\nretry: [5-9]\d\d\d\n\n$`).Match(r.Body) {
			t.Errorf("%q", r.Body)
		}
	}
	s.says(socket, "job running 0%", "drain")
	parked(t, post)
	s.queue(1, 1)
	post.Advance(6 * time.Second)
	s.problem(s.answer(post), 503, "the server is shutting down")
	s.queue(1, 0)

	life := asgitest.New(t, s.handler, asgitest.LifespanScope())
	life.Deliver(&asgi.LifespanStartup{}, &asgi.LifespanShutdown{})
	if sent := life.Sent(); len(sent) != 2 || sent[1].EventType() != "lifespan.shutdown.complete" {
		t.Errorf("%v", sent)
	}
	s.queue(0, 0)
	s.problem(s.do("POST", "/jobs", "string"), 503, "the server is shutting down")
	s.says(socket, "job running 0%", "drain", "job cancelled 503")
	socket.Deliver(binary("string"))
	s.says(socket, "job running 0%", "drain", "job cancelled 503", "refused #1 503")
}
