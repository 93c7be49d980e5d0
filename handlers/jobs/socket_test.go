package jobs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/jobs"
)

// socket opens a WebSocket.
func (s *shop) socket(target string) *asgitest.Exchange {
	s.t.Helper()
	x := asgitest.New(s.t, s.handler, asgitest.WebSocketScope(target))
	x.Deliver(&asgi.WebSocketConnect{})
	if sent := x.Sent(); len(sent) == 0 || sent[0].EventType() != "websocket.accept" {
		s.t.Fatalf("%s: the handshake was answered with %v", target, sent)
	}
	return x
}

// messages describes what was sent on a WebSocket since the handshake.
func messages(t testing.TB, x *asgitest.Exchange) (all []string) {
	t.Helper()
	for _, ev := range x.Sent()[1:] {
		switch ev := ev.(type) {
		case *asgi.WebSocketSend:
			var m status
			if err := json.Unmarshal(ev.Data, &m); err != nil || ev.Kind != asgi.Text {
				t.Fatalf("%q: %v", ev.Data, err)
			}
			all = append(all, describe(m))
		case *asgi.WebSocketClose:
			all = append(all, fmt.Sprint("close ", ev.Code))
		}
	}
	return all
}

// describe is the gist of a message.
func describe(m status) string {
	words := []string{m.Type}
	if m.N > 0 {
		words = append(words, fmt.Sprint("#", m.N))
	}
	if m.State != "" {
		words = append(words, m.State)
	}
	if m.Position > 0 {
		words = append(words, fmt.Sprint("at ", m.Position))
	}
	if m.State == "running" {
		words = append(words, fmt.Sprint(m.Percent, "%"))
	}
	if m.Error != nil {
		words = append(words, fmt.Sprint(m.Error.Status))
	}
	return strings.Join(words, " ")
}

// says waits until the messages on a WebSocket are what is wanted.
func (s *shop) says(x *asgitest.Exchange, want ...string) {
	s.t.Helper()
	x.Wait(fmt.Sprint("message ", len(want)), func() bool { return len(x.Sent()) > len(want) })
	if got := messages(s.t, x); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Fatalf("got %q, want %q", got, want)
	}
}

func binary(body string) *asgi.WebSocketReceive {
	return &asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte(body)}
}

func TestSocketOfOneJob(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold")
	s.begins("hold ")
	job := s.post("/jobs", "step")
	k := s.socket(job.Location + "/events")
	s.says(k, "job queued at 1")
	close(s.open)
	s.begins("step ")
	s.says(k, "job queued at 1", "job running 0%")
	s.steps <- 10
	s.says(k, "job queued at 1", "job running 0%", "job running 10%")
	before := s.state(job.Location)
	for range 3 { // the same again, or less, is no news
		s.steps <- 10
		s.steps <- 5
	}
	if st := s.state(job.Location); st != before {
		t.Errorf("%+v after %+v", st, before)
	}
	s.steps <- 40
	s.says(k, "job queued at 1", "job running 0%", "job running 10%", "job running 40%")
	close(s.steps)
	s.says(k, "job queued at 1", "job running 0%", "job running 10%", "job running 40%", "job done", "close 1000")
	k.Deliver(&asgi.WebSocketDisconnect{Code: 1000})

	k = s.socket(job.Location + "/events") // it is known still
	s.says(k, "job done", "close 1000")
}

func TestSocketSubmits(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 1, QueueJobs: 2, ClientJobs: -1}, jobs.Config{MaxBodyBytes: 10})
	s.post("/jobs", "step")
	s.begins("step ")
	k := s.socket("/jobs/events")
	k.Deliver(binary("hold 1"), binary("hold 2"), binary("hold 3"), binary("brew"), binary("echo 123456"))
	s.says(k, "accepted #1 queued at 1", "accepted #2 queued at 2", "refused #3 503", "refused #4 418", "refused #5 413")
	id := parse(t, k.Sent()[2].(*asgi.WebSocketSend).Data).ID
	before := len(k.Sent()) - 1
	k.Deliver(&asgi.WebSocketReceive{Data: fmt.Appendf(nil, `{"type":"cancel","id":%q}`, id)})
	k.Deliver(&asgi.WebSocketReceive{Data: fmt.Appendf(nil, `{"type":"cancel","id":%q}`, id)}) // again: no news
	k.Deliver(&asgi.WebSocketReceive{Data: []byte(`{"type":"cancel","id":"nothing"}`)})
	k.Wait("the answers", func() bool { return len(k.Sent()) >= before+3 })
	if got := messages(t, k)[before:]; fmt.Sprint(got) != "[job cancelled 410 refused 404]" &&
		fmt.Sprint(got) != "[refused 404 job cancelled 410]" {
		t.Errorf("got %q", got)
	}
	s.queue(1, 1)
	k.Deliver(&asgi.WebSocketReceive{Data: []byte(`what?`)})
	got := messages(t, k)
	if last := got[len(got)-1]; last != "close 1008" {
		t.Errorf("the last message is %q", last)
	}
	s.queue(1, 0) // all that came by it went with it
	k.Deliver(&asgi.WebSocketDisconnect{Code: 1008})
}

// A command has a bound, in whatever form: below it what makes no sense is refused for
// that, above it nothing is decoded.
func TestSocketCommandsAreBounded(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	cancel := func(n int) string { // a command of n bytes
		const around = `{"type":"cancel","id":""}`
		return `{"type":"cancel","id":"` + strings.Repeat("a", n-len(around)) + `"}`
	}
	for what, c := range map[string]struct{ text, want string }{
		"a long id":        {cancel(1 << 10), "[refused 404]"},
		"a longer one":     {cancel(1<<10 + 1), "[close 1009]"},
		"a deep command":   {`{"type":"cancel","id":"a","x":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`, "[refused 404]"},
		"a deeper one":     {strings.Repeat(`{"a":`, 1<<20), "[close 1009]"},
		"one without end":  {strings.Repeat("[", 1<<10), "[close 1008]"},
		"a wide one":       {`{"type":"cancel","id":"a"` + strings.Repeat(`,"x":0`, 160) + `}`, "[refused 404]"},
		"a wider one":      {`{"type":"cancel","id":"a"` + strings.Repeat(`,"x":0`, 1<<20) + `}`, "[close 1009]"},
		"an id of escapes": {`{"type":"cancel","id":"` + strings.Repeat(`\u0061`, 160) + `"}`, "[refused 404]"},
	} {
		k := s.socket("/jobs/events")
		k.Deliver(&asgi.WebSocketReceive{Data: []byte(c.text)})
		if got := fmt.Sprint(messages(t, k)); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
		k.Deliver(&asgi.WebSocketDisconnect{Code: 1000})
	}
}

// All connections of a client see all its jobs, and no others.
func TestSocketsOfAClient(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs?client=a", "hold")
	s.begins("hold ")
	a, b, c := s.socket("/jobs/events?client=a"), s.socket("/jobs/events?client=a"), s.socket("/jobs/events?client=c")
	s.says(a, "job running 0%")
	s.says(b, "job running 0%")
	a.Deliver(binary("echo x"))
	s.says(a, "job running 0%", "accepted #1 queued at 1")
	s.says(b, "job running 0%", "job queued at 1")
	// Another client's connection can neither see nor cancel it.
	id := parse(t, b.Sent()[2].(*asgi.WebSocketSend).Data).ID
	c.Deliver(&asgi.WebSocketReceive{Data: fmt.Appendf(nil, `{"type":"cancel","id":%q}`, id)})
	s.says(c, "refused 404")
	a.Deliver(&asgi.WebSocketDisconnect{Code: 1001})
	s.says(b, "job running 0%", "job queued at 1", "job cancelled 410")
	if st := s.state("/jobs/" + id); st.State != "cancelled" {
		t.Errorf("%+v", st)
	}
	close(s.open)
	s.says(b, "job running 0%", "job queued at 1", "job cancelled 410", "job done")
}

func TestSocketRefused(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{MaxFollowers: 1})
	job := s.post("/jobs?client=a", "hold")
	s.socket("/jobs/events?client=a")
	s.socket(job.Location + "/events")
	for target, want := range map[string]int{
		"/jobs/nothing/events":       404,
		"/jobs/nothing":              404,
		"/jobs/events/x":             404,
		"/jobs/events?client=nobody": 401,
		"/jobs/events?client=a":      503,
		job.Location + "/events":     503,
	} {
		x := asgitest.New(t, s.handler, asgitest.WebSocketScope(target))
		x.Deliver(&asgi.WebSocketConnect{})
		if r := x.Response(); r.Status != want {
			t.Errorf("%s: %d, want %d", target, r.Status, want)
		}
	}
	k := s.socket("/jobs/events") // a client of its own
	k.Deliver(&asgi.WebSocketDisconnect{Code: 1000})
	k = s.socket("/jobs/events?client=b")
	k.Deliver(&asgi.WebSocketDisconnect{Code: 1000})
	s.socket("/jobs/events?client=b") // there is room again
	close(s.open)
}

// What a peer that does not read has missed is the states in between.
func TestSlowSocket(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := newShop(t, oneWorker, jobs.Config{})
	s.post("/jobs", "hold")
	s.begins("hold ")
	k := s.socket("/jobs/events?client=a")
	k.Congest()
	k.Deliver(binary("step"))
	s.says(k, "accepted #1 queued at 1")
	close(s.open)
	s.begins("step ")
	if !k.Paused() {
		t.Error("it goes on taking jobs")
	}
	for percent := range 50 {
		s.steps <- percent
	}
	close(s.steps)
	s.ended(parse(t, k.Sent()[1].(*asgi.WebSocketSend).Data).Location)
	k.Run()
	s.says(k, "accepted #1 queued at 1")
	k.Drain()
	s.says(k, "accepted #1 queued at 1", "job done")
	if k.Paused() {
		t.Error("it takes no more jobs")
	}
}

// Nothing is said before the handshake, and nothing is lost by that.
func TestSocketBeforeTheHandshake(t *testing.T) {
	s := newShop(t, oneWorker, jobs.Config{})
	job := s.post("/jobs", "step")
	s.begins("step ")
	k := asgitest.New(t, s.handler, asgitest.WebSocketScope(job.Location+"/events"))
	s.steps <- 10
	close(s.steps)
	s.ended(job.Location)
	k.Run()
	k.Deliver(&asgi.WebSocketConnect{})
	s.says(k, "job done", "close 1000")
}

// Sockets that name no client are clients of their own.
func TestSocketsTakeTurns(t *testing.T) {
	s := newShop(t, executor.ClassConfig{Name: "test", Workers: 1, ClientJobs: 1}, jobs.Config{})
	s.post("/jobs", "hold")
	s.begins("hold ")
	for range 2 {
		k := s.socket("/jobs/events")
		k.Deliver(binary("hold"), binary("hold"))
		var got []string
		for _, m := range messages(t, k) {
			got = append(got, strings.Fields(m)[0])
		}
		if fmt.Sprint(got) != "[accepted refused]" {
			t.Errorf("got %q", got)
		}
	}
	close(s.open)
}
