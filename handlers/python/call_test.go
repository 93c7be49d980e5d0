package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers/hub"
)

func newHub(t testing.TB, config hub.Config) *hub.Hub {
	t.Helper()
	h, err := hub.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func newExecutor(t testing.TB, classes ...executor.ClassConfig) *executor.Executor {
	t.Helper()
	e, err := executor.New(executor.Config{Classes: classes, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(limited(t)); err != nil {
			t.Error(err)
		}
	})
	return e
}

// callScript makes the calls of a file, and prints the answers.
const callScript = `
ready()
epoch = "?"
def sort(v):
    if isinstance(v, dict):
        return {k: sort(v[k]) for k in sorted(v)}
    return type(v)(map(sort, v)) if isinstance(v, (list, tuple)) else v
for number, line in enumerate(open("calls"), 1):
    say((5, number, *eval(line)))
    answer = until(7)
    assert answer[1] == number
    if number == 1:
        epoch = answer[3]["epoch"]
    print(number, sort(answer[2:]).__repr__().replace(epoch, "E")[:400], flush=True)
until(0)
`

// What an application asks of gale is done, or refused in words that say why.
func TestCalls(t *testing.T) {
	wantNothingLeft(t)
	h := newHub(t, hub.Config{
		MaxPublishBytes: 2 << 20,
		Channels:        map[string]hub.Options{"room:": {Presence: true}, "large": {HistoryBytes: 8 << 20}},
		Now:             func() time.Time { return time.Unix(1_790_000_000, 500_000_000) },
	})
	if _, err := h.PublishOne(hub.Publication{Channel: "large", Data: make([]byte, 1<<20)}); err != nil {
		t.Fatal(err)
	}
	config := Config{Hub: h, Executor: newExecutor(t), Dir: t.TempDir(), Jobs: map[string]Job{
		"upper":   func(_ context.Context, p []byte) ([]byte, error) { return bytes.ToUpper(p), nil },
		"fail":    func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") },
		"panic":   func(context.Context, []byte) ([]byte, error) { panic("help") },
		"nothing": func(context.Context, []byte) ([]byte, error) { return nil, nil },
		"large":   func(context.Context, []byte) ([]byte, error) { return make([]byte, 1<<20), nil },
		"wait":    func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, context.Cause(ctx) },
	}}
	calls := []struct{ method, payload, says string }{
		{"publish", `("news", b"one", {})`, `(True, {'duplicate': False, 'epoch': 'E', 'offset': 1})`},
		{"publish", `("news", b"two", {"event": "e", "idempotency_key": "k", "ttl": 1e6})`, `'offset': 2`},
		{"publish", `("news", b"again", {"idempotency_key": "k", "event": None})`, `'duplicate': True, 'epoch': 'E', 'offset': 2`},
		{"publish", `("no good", b"", {})`, `(False, ('rejected', 'this is no name of a channel'))`},
		{"publish", `("news", "text", {})`, `(False, ('rejected', 'publish: a str where bytes is wanted'))`},
		{"publish", `("news", b"", {"ttl": -1})`, `not negative`},
		{"publish", `("news", b"", {"ttl": float("nan")})`, `not negative`},
		{"publish", `("news", b"")`, `a tuple of 3 values`},
		{"publish", `None`, `None where a tuple of 3 values is wanted`},
		{"publish", `("news", b"", {"event": 7})`, `an int where a str is wanted`},
		{"broadcast", `(["a", "b c", "b"], b"x", {})`, `{'channel': 'b c', 'error': ('rejected', 'this is no name of a channel')}, {'channel': 'b', `},
		{"broadcast", `([], b"x", {})`, `(True, [])`},
		{"broadcast", `("ab", b"x", {})`, `a str where a list of str is wanted`},
		{"history", `("news", {})`, `'publications': [{'data': b'one', 'epoch': 'E', 'event': '', 'offset': 1, 'publisher': '', 'time': 1790000000.5}, {'data': b'two', 'epoch': 'E', 'event': 'e', 'offset': 2`},
		{"history", `("news", {"since": {"epoch": epoch, "offset": 1}, "limit": 5})`, `'missing': 0, 'offset': 2, 'publications': [{'data': b'two'`},
		{"history", `("news", {"limit": 1, "reverse": True})`, `'publications': [{'data': b'two'`},
		{"history", `("news", {"since": {"epoch": "old", "offset": 1}})`, `'missing': -1`},
		{"history", `("news", {"since": 1})`, `an int where a dict is wanted`},
		{"history", `("news", {"limit": -1})`, `not negative`},
		{"history", `("large", {})`, `(False, ('failed', `},
		{"presence", `("room:1",)`, `(True, {})`},
		{"presence", `("news",)`, `('rejected', 'the channel does not keep who is there')`},
		{"presence", `("a b",)`, `('rejected', 'this is no name of a channel')`},
		{"run", `("cpu", "upper", b"abc", {})`, `(True, b'ABC')`},
		{"run", `("blocking", "nothing", b"abc", {"timeout": 60})`, `(True, b'')`},
		{"run", `("cpu", "fail", b"", {})`, `('failed', 'no luck')`},
		{"run", `("cpu", "panic", b"", {})`, `('failed', `},
		{"run", `("cpu", "large", b"", {})`, `has 1048576 bytes`},
		{"run", `("cpu", "none", b"", {})`, `('rejected', 'there is no job "none"')`},
		{"run", `("gpu", "upper", b"", {})`, `('rejected', 'there is no class "gpu" of workers')`},
		{"run", `("cpu", "wait", b"", {"timeout": 0.001})`, `('timeout', `},
		{"dance", `()`, `('rejected', 'there is no method "dance"')`},
		{"handlers", `{"subscribe": True, "jobs": ["a", "b"]}`, `(True, None)`},
		{"handlers", `{"subscribe": 1, "jobs": []}`, `an int where a bool is wanted`},
	}
	var text strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&text, "(%q, %s)\n", c.method, c.payload)
	}
	write(t, config.Dir, "calls", text.String())
	p := fake(t, config, callScript)
	for i, c := range calls {
		p.log.wait(t, 1, fmt.Sprintf("line=\"%d (", i+1))
		if p.log.count(fmt.Sprintf("line=\"%d (", i+1), strings.ReplaceAll(c.says, `"`, `\"`)) != 1 {
			t.Errorf("%s %s: not %s", c.method, c.payload, c.says)
		}
	}
	if w := p.only(); !w.jobs.has("a") || !w.jobs.has(subscribeJob) || w.jobs.has("c") {
		t.Errorf("jobs: %v", w.jobs.names)
	}
}

// There is a bound for calls, and none waits for what is not there.
func TestCallLimits(t *testing.T) {
	wantNothingLeft(t)
	release := make(chan struct{})
	config := Config{Executor: newExecutor(t), MaxCalls: 2, Jobs: map[string]Job{
		"wait": func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil },
	}}
	p := fake(t, config, `
ready()
for number in range(1, 4):
    say((5, number, "run", ("blocking", "wait", b"", {})))
say((5, 4, "publish", ("news", b"", {})))
for _ in range(2):
    print(until(7), flush=True)
until(8)
for _ in range(2):
    print(until(7), flush=True)
say((5, 5, "publish", ("news", b"", {})))
print(until(7), flush=True)
until(0)
`)
	p.log.wait(t, 1, "(7, 3, False, ('saturated'")
	p.log.wait(t, 1, "(7, 4, False, ('saturated'")
	close(release)
	p.drain(time.Second)
	p.log.wait(t, 1, "(7, 1, True")
	p.log.wait(t, 1, "(7, 2, True")
	p.log.wait(t, 1, "(7, 5, False", "there is no hub")
}

// What a worker has asked for is given up when it is gone.
func TestCallsEnd(t *testing.T) {
	wantNothingLeft(t)
	begun, ended := make(chan struct{}), make(chan struct{})
	config := Config{Executor: newExecutor(t), Dir: t.TempDir(), Jobs: map[string]Job{
		"wait": func(ctx context.Context, _ []byte) ([]byte, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return nil, nil
		},
	}}
	p := fake(t, config, "ready()\nif not os.path.exists('once'):\n    open('once', 'w')\n    say((5, 1, 'run', ('blocking', 'wait', b'', {})))\nuntil(0)\n")
	wait(t, "the job runs", begun)
	p.only().process.Kill(errors.New("the test wants it"))
	wait(t, "the job is told", ended)
}
