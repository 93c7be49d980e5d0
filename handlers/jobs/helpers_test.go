package jobs_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/jobs"
	"github.com/gale-server/gale/internal/longtest"
)

// waitLimit bounds the wait for something that should come at once.
const waitLimit = longtest.Patience

// shop is a service at /jobs whose jobs do what their body says:
//
//	"echo TEXT"   returns the text
//	"hold ..."    waits until the shop is opened, or its context is done
//	"step ..."    reports 10, 20 ... per token of steps, and returns when that is closed
//	"panic", "fail", "teapot", "json", "bytes", "nothing", "deadline", "cancelled"
//
// and whose client is the parameter "client".
type shop struct {
	t       testing.TB
	service *jobs.Service
	handler asgi.Handler
	class   *executor.Class
	exec    *executor.Executor

	began chan string   // bodies of "hold" and "step" jobs that run
	open  chan struct{} // closed: no job is held any more
	steps chan int
	logs  *lines
}

// lines is a log.
type lines struct {
	strings.Builder
	lock chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.lock <- struct{}{}
	defer func() { <-l.lock }()
	return l.Builder.Write(p)
}

func (l *lines) String() string {
	l.lock <- struct{}{}
	defer func() { <-l.lock }()
	return l.Builder.String()
}

// class is one worker and room for many, unless the test says otherwise.
var oneWorker = executor.ClassConfig{Name: "test", Workers: 1, QueueJobs: 20_000, ClientJobs: -1}

func newShop(t testing.TB, class executor.ClassConfig, config jobs.Config) *shop {
	t.Helper()
	s := &shop{
		t:     t,
		began: make(chan string, 100),
		open:  make(chan struct{}),
		steps: make(chan int),
		logs:  &lines{lock: make(chan struct{}, 1)},
	}
	var err error
	logger := slog.New(slog.NewTextHandler(s.logs, nil))
	s.exec, err = executor.New(executor.Config{Classes: []executor.ClassConfig{class}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.class = s.exec.Class(class.Name)
	config.Class, config.Accept, config.Logger = s.class, s.accept, logger
	if config.Client == nil {
		config.Client = func(scope *asgi.Scope) (string, error) {
			name := (&jobs.Request{Scope: scope}).Query().Get("client")
			if name == "nobody" {
				return "", &jobs.Error{Status: 401, Reason: "who are you?"}
			}
			return name, nil
		}
	}
	if s.service, err = jobs.New(config); err != nil {
		t.Fatal(err)
	}
	mux := new(handlers.Mux)
	s.service.Mount(mux, "/jobs")
	mux.Lifespan(s.service)
	s.handler = mux
	t.Cleanup(s.shutDown)
	return s
}

func (s *shop) shutDown() {
	s.service.Close()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := s.exec.Shutdown(ctx); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) accept(r *jobs.Request) (executor.Job, error) {
	verb, text, _ := strings.Cut(string(r.Body), " ")
	job := executor.Job{Label: verb, Key: r.Query().Get("key")}
	switch verb {
	case "":
		return job, &jobs.Error{Status: 400, Reason: "what is to be done?"}
	case "explode":
		panic("accept")
	case "brew":
		return job, teapot{}
	case "secret":
		return job, io.ErrUnexpectedEOF
	case "huge":
		job.Cost = 1 << 60
	case "late":
		job.Deadline = time.Now().Add(-time.Second)
	case "impatient":
		job.MaxQueueTime = time.Nanosecond
	}
	job.Run = func(ctx context.Context) (any, error) { return s.run(ctx, r, verb, text) }
	return job, nil
}

func (s *shop) run(ctx context.Context, r *jobs.Request, verb, text string) (any, error) {
	switch verb {
	case "echo":
		return jobs.Result{ContentType: r.ContentType(), Body: []byte(text)}, nil
	case "html":
		return jobs.Result{ContentType: text, Body: []byte("x")}, nil
	case "hold", "step":
		select {
		case s.began <- verb + " " + text:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "panic":
		panic("a secret of the job")
	case "panicpot":
		panic(teapot{}) // an error that says whose fault it is, but a panic all the same
	case "fail":
		return nil, io.ErrUnexpectedEOF
	case "teapot":
		return nil, teapot{}
	case "json":
		return map[string]int{"n": 1}, nil
	case "unjson":
		return func() {}, nil
	case "bytes":
		return []byte("bytes"), nil
	case "string":
		return "string", nil
	case "deadline":
		return nil, context.DeadlineExceeded
	case "cancelled":
		return nil, context.Canceled
	}
	for verb == "step" {
		select {
		case percent, ok := <-s.steps:
			if !ok {
				return "stepped", nil
			}
			_ = executor.Report(ctx, executor.Progress{Percent: percent})
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if verb == "hold" {
		select {
		case <-s.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return "held " + text, nil
	}
	return nil, nil
}

// teapot is an error with a status of its own.
type teapot struct{}

func (teapot) Error() string   { return "I am a teapot" }
func (teapot) HTTPStatus() int { return 418 }

// status is a job's JSON.
type status struct {
	Type        string
	N           int
	ID          string
	State       string
	Version     int
	Position    int
	Percent     int
	Location    string
	Result      string
	ContentType string `json:"content_type"`
	Bytes       int
	Error       *struct {
		Title, Detail string
		Status        int
		RetryAfter    int `json:"retry_after"`
	}
	Expires int64
}

func parse(t testing.TB, p []byte) (s status) {
	t.Helper()
	if err := json.Unmarshal(p, &s); err != nil {
		t.Fatalf("%q: %v", p, err)
	}
	return s
}

// request opens an exchange and delivers the whole request.
func (s *shop) request(method, target, body string, headers ...asgi.Header) *asgitest.Exchange {
	s.t.Helper()
	x := asgitest.New(s.t, s.handler, asgitest.HTTPScope(method, target, headers...))
	x.Deliver(&asgi.HTTPRequest{Body: []byte(body)})
	return x
}

// do makes a request that is answered without help.
func (s *shop) do(method, target, body string, headers ...asgi.Header) *asgitest.Response {
	s.t.Helper()
	x := s.request(method, target, body, headers...)
	return s.answer(x)
}

func (s *shop) answer(x *asgitest.Exchange) *asgitest.Response {
	s.t.Helper()
	x.Wait("the answer", func() bool { return x.Response().Complete })
	return x.Response()
}

// post submits a job that is answered with 202.
func (s *shop) post(target, body string) status {
	s.t.Helper()
	r := s.do("POST", target, body)
	if r.Status != 202 {
		s.t.Fatalf("POST %s %q: %d %s", target, body, r.Status, r.Body)
	}
	return parse(s.t, r.Body)
}

// state asks for a job's.
func (s *shop) state(location string) status {
	s.t.Helper()
	r := s.do("GET", location, "")
	if r.Status != 200 {
		s.t.Fatalf("GET %s: %d %s", location, r.Status, r.Body)
	}
	return parse(s.t, r.Body)
}

// ended waits for the end of a job.
func (s *shop) ended(location string) status {
	s.t.Helper()
	return parse(s.t, s.do("GET", location+"?wait=60", "").Body)
}

// begins waits until a held job runs.
func (s *shop) begins(body string) {
	s.t.Helper()
	select {
	case got := <-s.began:
		if got != body {
			s.t.Fatalf("%q runs, not %q", got, body)
		}
	case <-time.After(waitLimit):
		s.t.Fatalf("%q does not run", body)
	}
}

// queue waits until so many jobs run and wait in the class.
func (s *shop) queue(running, waiting int) {
	s.t.Helper()
	limit := time.Now().Add(waitLimit)
	for {
		stats := s.class.Stats()
		if stats.Running == running && stats.Waiting == waiting {
			return
		}
		if time.Now().After(limit) {
			s.t.Fatalf("%d run and %d wait, not %d and %d", stats.Running, stats.Waiting, running, waiting)
		}
		time.Sleep(time.Millisecond) // the class gives no signal
	}
}

func prefer(value string) asgi.Header { return asgi.Header{Name: "prefer", Value: value} }

// problem checks an answer that is an error.
func (s *shop) problem(r *asgitest.Response, code int, detail string) {
	s.t.Helper()
	var p struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal(r.Body, &p); err != nil || r.Status != code || p.Status != code || p.Detail != detail ||
		r.Header("content-type") != "application/problem+json" || !r.Complete {
		s.t.Errorf("got %d %v %s, want %d %q", r.Status, r.Headers, r.Body, code, detail)
	}
}
