package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/gale-server/gale/examples/internal/exampletest"
	"github.com/gale-server/gale/executor"
)

// waitLimit bounds every wait.
const waitLimit = time.Minute

// gate is a database that answers when it is told to.
type gate struct {
	asked  chan string
	answer chan string
	gone   chan error
}

func newGate() *gate {
	return &gate{asked: make(chan string, 10), answer: make(chan string), gone: make(chan error, 10)}
}

func (g *gate) query(ctx context.Context, name string) (string, error) {
	g.asked <- name
	select {
	case answer := <-g.answer:
		return name + answer, nil
	case <-ctx.Done():
		g.gone <- context.Cause(ctx)
		return "", context.Cause(ctx)
	}
}

// start runs the example until the test ends and returns its URL.
func start(t *testing.T, query query, config executor.Config) string {
	t.Helper()
	return "http://" + exampletest.Start(t, func(ctx context.Context, addr string, ready func(net.Addr)) error {
		return run(ctx, addr, query, config, ready)
	})
}

type reply struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, ctx context.Context, url string) (reply, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return reply{r.StatusCode, r.Header, string(body)}, err
}

// ask sends a request and returns once the database has been asked.
func ask(t *testing.T, ctx context.Context, g *gate, url string) <-chan reply {
	t.Helper()
	answers := make(chan reply, 1)
	go func() { // ends with the answer, which the test waits for, or with ctx
		if r, err := get(t, ctx, url); err == nil {
			answers <- r
		}
	}()
	wait(t, g.asked)
	return answers
}

func wait[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(waitLimit):
		t.Fatal("waited in vain")
	}
	return v
}

var forms = []string{"/event", "/coroutine", "/serial"}

func TestTheLoopGoesOn(t *testing.T) {
	g := newGate()
	url := start(t, g.query, executor.Config{})
	for _, form := range forms {
		answers := ask(t, t.Context(), g, url+form+"?name=Ada")
		for range 3 {
			if r, err := get(t, t.Context(), url+"/hello"); err != nil || r.body != "Hello!\n" {
				t.Errorf("while %s waits: %v, %v", form, r, err)
			}
		}
		g.answer <- " wrote it"
		if r := wait(t, answers); r.status != 200 || r.body != "Ada wrote it" {
			t.Errorf("%s: %v", form, r)
		}
	}
}

func TestBusy(t *testing.T) {
	g := newGate()
	url := start(t, g.query, executor.Config{
		Classes: []executor.ClassConfig{{Name: executor.Blocking, Workers: 1, QueueJobs: -1}},
	})
	first := ask(t, t.Context(), g, url+"/event?name=Ada")
	for _, form := range forms {
		if r, err := get(t, t.Context(), url+form); err != nil || r.status != 503 {
			t.Errorf("%s: %v, %v, want 503", form, r, err)
		} else if n, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || n < 1 {
			t.Errorf("%s: Retry-After is %q", form, r.header.Get("Retry-After"))
		}
	}
	g.answer <- ""
	if r := wait(t, first); r.status != 200 {
		t.Errorf("the first: %v", r)
	}
}

func TestGoneClientsAreToldOf(t *testing.T) {
	g := newGate()
	url := start(t, g.query, executor.Config{})
	for _, form := range []string{"/event", "/coroutine"} { // serial has no context to end
		ctx, leave := context.WithCancel(t.Context())
		ask(t, ctx, g, url+form)
		leave()
		if wait(t, g.gone) == nil {
			t.Errorf("%s: there is no cause", form)
		}
	}
}
