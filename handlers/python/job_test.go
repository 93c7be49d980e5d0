package python

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// jobScript runs jobs whose names say what becomes of them.
const jobScript = `
ready("echo", "raise", "die", "wait", "more")
say((5, 1, "handlers", {"subscribe": False, "jobs": ["echo", "raise", "die", "wait", "announced"]}))
waiting = []
while True:
    frame = take()
    if frame[0] == 7:
        print("announced", flush=True)
    if frame[0] == 6:
        print("cancel", frame[1], flush=True)
        say((6, frame[1], False, ("failed", "cancelled")), (6, 1000, True, b"of nobody"))
    if frame[0] == 5:
        id, name, payload = frame[1:]
        if name == "raise":
            say((6, id, False, ("failed", "ValueError: no")))
        elif name == "die":
            os._exit(3)
        elif name == "wait":
            print("waits", id, flush=True)
        else:
            say((6, id, True, payload))
    if frame[0] == 4:
        say((7, ""))
        os._exit(0)
`

func TestRun(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{MaxJobs: 2}, jobScript)
	p.log.wait(t, 1, "announced")
	w := p.only()
	payload := bytes.Repeat([]byte("abc"), 100_000)
	if out, err := p.run(limited(t), "echo", payload); err != nil || !bytes.Equal(out, payload) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if out, err := p.run(limited(t), "announced", nil); err != nil || len(out) != 0 {
		t.Errorf("%q, %v", out, err)
	}
	var raised *JobError
	if _, err := p.run(limited(t), "raise", nil); !errors.As(err, &raised) || raised.Message != "ValueError: no" {
		t.Error(err)
	}
	if _, err := p.run(limited(t), "more", nil); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("a job that is no more: %v", err)
	}
	if _, err := p.run(limited(t), "echo", make([]byte, 1<<20)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}

	why := errors.New("why not")
	ctx, cancel := context.WithCancelCause(limited(t))
	results := make(chan error, 2)
	for range 2 {
		go func() { _, err := p.run(ctx, "wait", nil); results <- err }()
	}
	p.log.wait(t, 2, "waits")
	if _, err := p.run(limited(t), "echo", nil); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	cancel(why)
	for range 2 {
		if err := <-results; err != why {
			t.Error(err)
		}
	}
	p.log.wait(t, 2, "cancel")
	if _, err := p.run(limited(t), "echo", nil); err != nil {
		t.Error(err)
	}

	var crash *CrashError
	if _, err := p.run(limited(t), "die", nil); !errors.As(err, &crash) || crash.PID != w.pid || crash.Reason != "exit status 3" {
		t.Error(err)
	}
	p.next(w)
	if out, err := p.run(limited(t), "echo", []byte("x")); err != nil || string(out) != "x" {
		t.Errorf("%q, %v", out, err)
	}
	if n := p.only().streams.Load(); n != 0 {
		t.Errorf("%d streams are counted", n/stream)
	}
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	if _, err := p.run(limited(t), "echo", nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Who may subscribe is up to the application, if it says so.
func TestAsk(t *testing.T) {
	wantNothingLeft(t)
	config := Config{Python: quick(t), App: "none", Workers: 1, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), StartTimeout: 10 * time.Second}
	h, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	h.pool.boot = fakeBoot + `
import json
if os.path.exists("asks"):
    say((5, 1, "handlers", {"subscribe": True, "jobs": []}))
ready()
while True:
    frame = take()
    if frame[0] == 4:
        os._exit(0)
    if frame[0] != 5:
        continue
    id, name, payload = frame[1:]
    asked = json.loads(payload)
    assert name == "gale.subscribe"
    if asked["channel"] == "raise":
        say((6, id, False, ("failed", "ValueError: no")))
    elif asked["channel"] == "nonsense":
        say((6, id, True, b"yes"))
    elif asked["channel"] == "die":
        os._exit(1)
    else:
        allow = asked == {"channel": "a", "user": "ann", "action": "subscribe", "info": {"n": 1}, "address": "::1"} or asked == {"channel": "b", "user": "", "action": "presence", "info": None, "address": ""}
        say((6, id, True, json.dumps({"allow": allow}).encode()))
`
	defer func() {
		if err := h.Stop(limited(t)); err != nil {
			t.Error(err)
		}
	}()
	ask := func(channel string, who hub.Identity, what hub.Action) string {
		answer := make(chan error, 1)
		h.Ask(&who, what, channel, func(err error) { answer <- err })
		if err := <-answer; err != nil {
			return string(hub.AsError(err).Code)
		}
		return "ok"
	}
	ann := hub.Identity{User: "ann", Info: []byte(`{"n":1}`), Address: "::1"}
	for _, c := range []struct {
		asks    bool
		channel string
		who     hub.Identity
		what    hub.Action
		want    string
	}{
		{false, "c", ann, hub.Subscribe, "ok"}, // it has no say
		{true, "a", ann, hub.Subscribe, "ok"},
		{true, "a", ann, hub.Presence, "not_allowed"},
		{true, "b", hub.Identity{}, hub.Presence, "ok"},
		{true, "b", hub.Identity{}, hub.Subscribe, "not_allowed"},
		{true, "raise", ann, hub.Subscribe, "not_allowed"},
		{true, "nonsense", ann, hub.Subscribe, "not_allowed"},
		{true, "die", ann, hub.Subscribe, "unavailable"},
	} {
		if c.asks {
			write(t, config.Dir, "asks", "")
		}
		if len(h.pool.ready()) == 0 || c.asks && !h.pool.ready()[0].jobs.has(subscribeJob) {
			if err := h.Stop(limited(t)); err != nil {
				t.Fatal(err)
			}
			if err := h.Start(limited(t)); err != nil {
				t.Fatal(err)
			}
		}
		if got := ask(c.channel, c.who, c.what); got != c.want {
			t.Errorf("%s: %s, want %s", c.channel, got, c.want)
		}
	}
	h.asking.Store(int64(h.config.MaxWaiting))
	if got := ask("a", ann, hub.Subscribe); got != "too_many" {
		t.Errorf("too many: %s", got)
	}
}
