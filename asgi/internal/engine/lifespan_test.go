package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gale-server/gale/asgi"
)

// inline is a loop that runs what is posted on a goroutine of its own.
type inline struct {
	posted chan func()
	owner  chan struct{} // holds a token while a call runs
}

func newInline(t *testing.T) *inline {
	l := &inline{posted: make(chan func(), 100), owner: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() { // ends with the test
		defer close(done)
		for fn := range l.posted {
			l.owner <- struct{}{}
			fn()
			<-l.owner
		}
	}()
	t.Cleanup(func() { close(l.posted); <-done })
	return l
}

func (l *inline) Post(fn func()) bool     { l.posted <- fn; return true }
func (l *inline) PostOwed(fn func()) bool { return l.Post(fn) }
func (l *inline) Adopt()                  {}
func (l *inline) Owned() bool             { return len(l.owner) == 1 }

// settle returns when everything posted before has run.
func (l *inline) settle() {
	done := make(chan struct{})
	l.Post(func() { close(done) })
	<-done
}

// lives is a lifespan in event form.
type lives struct {
	onOpen     func(x asgi.Exchange)
	onStartup  func(x asgi.Exchange)
	onShutdown func(x asgi.Exchange)
	scope      *asgi.Scope
	got        []string
	abandoned  int
	x          asgi.Exchange
}

func (h *lives) Open(s *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	h.scope, h.x = s, x
	if h.onOpen != nil {
		h.onOpen(x)
	}
	return h
}

func (h *lives) Receive(ev asgi.ReceiveEvent) {
	h.got = append(h.got, ev.EventType())
	switch {
	case ev.EventType() == "lifespan.startup" && h.onStartup != nil:
		h.onStartup(h.x)
	case ev.EventType() == "lifespan.shutdown" && h.onShutdown != nil:
		h.onShutdown(h.x)
	}
}

func (h *lives) Abandon() { h.abandoned++ }

func sends(evs ...asgi.SendEvent) func(asgi.Exchange) {
	return func(x asgi.Exchange) {
		for _, ev := range evs {
			if err := x.Send(ev); err != nil {
				x.End(err)
			}
		}
	}
}

func ends(err error) func(asgi.Exchange) { return func(x asgi.Exchange) { x.End(err) } }
func panics(asgi.Exchange)               { panic("stuck") }

// https://asgi.readthedocs.io/en/latest/specs/lifespan.html
func TestLifespan(t *testing.T) {
	started, ended := sends(&asgi.LifespanStartupComplete{}), sends(&asgi.LifespanShutdownComplete{})
	stuck := errors.New("stuck")
	for _, test := range []struct {
		name                     string
		open, startup, shutdown  func(asgi.Exchange)
		startErr, endErr, failed string // parts of what is said
		unsupported              bool
		got                      string
		abandoned                int
	}{
		{name: "orderly", startup: started, shutdown: ended, got: "lifespan.startup lifespan.shutdown", abandoned: 1},
		{name: "ends at once", open: ends(stuck), unsupported: true},
		{name: "panics at once", open: panics, unsupported: true, failed: "panicked: stuck"},
		{name: "raises upon startup", startup: ends(stuck), unsupported: true, got: "lifespan.startup"},
		{name: "panics upon startup", startup: panics, unsupported: true, failed: "panicked: stuck", got: "lifespan.startup"},
		{name: "fails to start", startup: sends(&asgi.LifespanStartupFailed{Message: "no database"}),
			startErr: "lifespan startup failed: no database", got: "lifespan.startup", abandoned: 1},
		{name: "does not answer startup", startErr: "lifespan startup: no answer within the timeout", got: "lifespan.startup", abandoned: 1},
		{name: "ends while serving", startup: func(x asgi.Exchange) { started(x); x.End(nil) }, got: "lifespan.startup"},
		{name: "raises while serving", startup: func(x asgi.Exchange) { started(x); x.End(stuck) }, failed: "stuck", got: "lifespan.startup"},
		{name: "fails to shut down", startup: started, shutdown: sends(&asgi.LifespanShutdownFailed{Message: "stuck"}),
			endErr: "lifespan shutdown failed: stuck", got: "lifespan.startup lifespan.shutdown", abandoned: 1},
		{name: "raises upon shutdown", startup: started, shutdown: ends(stuck),
			endErr: "lifespan shutdown failed: stuck", got: "lifespan.startup lifespan.shutdown"},
		{name: "panics upon shutdown", startup: started, shutdown: panics,
			endErr: "panicked: stuck", got: "lifespan.startup lifespan.shutdown"},
		{name: "returns upon shutdown", startup: started, shutdown: ends(nil), got: "lifespan.startup lifespan.shutdown"},
		{name: "does not answer shutdown", startup: started,
			endErr: "lifespan shutdown: no answer within the timeout", got: "lifespan.startup lifespan.shutdown", abandoned: 1},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			loop := newInline(t)
			h := &lives{onOpen: test.open, onStartup: test.startup, onShutdown: test.shutdown}
			var failed []string
			l := NewLifespan(loop, LifespanConfig{Handler: h, Timeout: time.Minute, Failed: func(err error) { failed = append(failed, err.Error()) }})
			state, err := l.Startup(context.Background())
			wantError(t, "Startup", err, test.startErr)
			if supported := state != nil; supported != (!test.unsupported && test.startErr == "") {
				t.Errorf("state %v", state)
			}
			if test.startErr == "" {
				wantError(t, "Shutdown", l.Shutdown(context.Background()), test.endErr)
			}
			loop.settle()
			if said := strings.Join(failed, " "); !strings.Contains(said, test.failed) || test.failed == "" && said != "" {
				t.Errorf("logged %q, want %q", said, test.failed)
			}
			if got := strings.Join(h.got, " "); got != test.got || h.abandoned != test.abandoned {
				t.Errorf("got %q and %d, want %q and %d", got, h.abandoned, test.got, test.abandoned)
			}
		})
	}
}

// inBubble runs a subtest with a fake clock.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func wantError(t *testing.T, what string, err error, part string) {
	t.Helper()
	if (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
		t.Errorf("%s: %v, want %q", what, err, part)
	}
}

// What the application puts into its state after startup is its own.
func TestLifespanState(t *testing.T) {
	loop := newInline(t)
	h := &lives{}
	h.onStartup = func(x asgi.Exchange) {
		h.scope.State["key"] = "value"
		sends(&asgi.LifespanStartupComplete{})(x)
		h.scope.State["key"] = "too late"
	}
	state, err := NewLifespan(loop, LifespanConfig{Handler: h}).Startup(context.Background())
	loop.settle()
	if err != nil || state["key"] != "value" {
		t.Fatal(state, err)
	}
}

// A startup that is cut short abandons the application and gives the cause.
func TestLifespanCutShort(t *testing.T) {
	loop := newInline(t)
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	h := &lives{onStartup: func(asgi.Exchange) { cancel(cause) }}
	_, err := NewLifespan(loop, LifespanConfig{Handler: h, Timeout: time.Minute}).Startup(ctx)
	loop.settle()
	if !errors.Is(err, cause) || !ToldToStop(ctx, err) || h.abandoned != 1 {
		t.Fatal(err, h.abandoned)
	}
	if ToldToStop(context.Background(), err) || ToldToStop(ctx, errNoAnswer) {
		t.Error("another error counts as being told to stop")
	}
	unopened := &lives{onOpen: func(asgi.Exchange) { t.Error("opened") }}
	if _, err := NewLifespan(loop, LifespanConfig{Handler: unopened}).Startup(ctx); !errors.Is(err, cause) {
		t.Error(err)
	}
}

// Events after completion, from elsewhere, and timers.
func TestLifespanExchange(t *testing.T) {
	loop := newInline(t)
	fired := make(chan struct{}, 2)
	var errs []error
	var late asgi.Timer
	h := &lives{}
	h.onStartup = func(x asgi.Exchange) {
		x.AfterFunc(0, func() {
			fired <- struct{}{}
			errs = append(errs, x.Send(&asgi.LifespanStartupComplete{}))
			late = x.AfterFunc(time.Hour, func() { fired <- struct{}{} })
			if stopped := x.AfterFunc(time.Hour, func() {}); !stopped.Stop() || stopped.Stop() {
				t.Error("a timer is not stopped once")
			}
		})
	}
	h.onShutdown = sends(&asgi.LifespanShutdownComplete{}, &asgi.LifespanShutdownComplete{})
	l := NewLifespan(loop, LifespanConfig{Handler: h, Strict: true, Failed: func(err error) { errs = append(errs, err) }})
	if err := l.Send(&asgi.LifespanStartupComplete{}); err != asgi.ErrForeignGoroutine {
		t.Error(err)
	}
	if _, err := l.Startup(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-fired
	if err := l.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	loop.settle()
	var order *asgi.OrderError
	if len(errs) != 1 || errs[0] != nil {
		t.Errorf("errors %v", errs)
	}
	l.Post(func() {
		if late.Stop() || l.AfterFunc(0, func() {}).Stop() {
			t.Error("a timer outlives the lifespan")
		}
		if err := l.Send(&asgi.LifespanShutdownComplete{}); !errors.As(err, &order) {
			t.Errorf("strict: %v", err)
		}
		if l.Buffered() != 0 || l.Congested() {
			t.Error("there is a peer")
		}
	})
	loop.settle()
}

// The default timeout of each phase, and what comes just before and after it.
func TestDefaultLifespanTimeout(t *testing.T) {
	for _, phase := range []string{"startup", "shutdown"} {
		for _, over := range []time.Duration{-1, 1} {
			synctest.Test(t, func(t *testing.T) {
				loop := newInline(t)
				late := func(answer asgi.SendEvent) func(asgi.Exchange) {
					return func(x asgi.Exchange) { x.AfterFunc(60*time.Second+over, func() { _ = x.Send(answer) }) }
				}
				h := &lives{onStartup: sends(&asgi.LifespanStartupComplete{}), onShutdown: late(&asgi.LifespanShutdownComplete{})}
				if phase == "startup" {
					h.onStartup = late(&asgi.LifespanStartupComplete{})
				}
				l := NewLifespan(loop, LifespanConfig{Handler: h, Timeout: LifespanTimeout})
				_, err := l.Startup(t.Context())
				if phase == "shutdown" {
					err = l.Shutdown(t.Context())
				}
				if (err != nil) != (over > 0) {
					t.Errorf("%s after 60 s %v: %v", phase, over, err)
				}
				l.loop.Post(l.end) // its timers
				synctest.Wait()
			})
		}
	}
}
