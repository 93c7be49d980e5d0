package python

import (
	"errors"
	"strings"
	"testing"
)

// hello is an application with a lifespan that says what happens.
const helloApp = `
import os, sys
print("imported")
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            print("it is", event["type"], file=sys.stderr)
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
`

// Workers start, say who they are, and stop in order.
func TestStartAndStop(t *testing.T) {
	config := application(t, helloApp)
	config.Workers = 2
	p := started(t, config)
	if n := len(p.ready()); n != 2 {
		t.Fatalf("%d workers are ready", n)
	}
	for _, w := range p.ready() {
		i := w.info
		if !strings.HasPrefix(i.Python, "3.") || i.Mode != "asgi" || i.Loop != "asyncio" || !i.Lifespan || w.pid == 0 {
			t.Errorf("%+v", i)
		}
	}
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	if len(p.ready()) != 0 || children() != "" {
		t.Errorf("left: %d, %s", len(p.ready()), children())
	}
	for _, text := range []string{"imported", "it is lifespan.startup", "it is lifespan.shutdown"} {
		for _, worker := range []string{"worker=1", "worker=2"} {
			if p.log.count(text, worker) != 1 {
				t.Errorf("%s of %s:\n%s", text, worker, p.log)
			}
		}
	}
}

// What keeps an application from starting is told once, with an advice.
func TestStartFailures(t *testing.T) {
	for name, test := range map[string]struct {
		source, kind, says, logs string
	}{
		"import":      {"import nonsense_that_is_not\napp = 1\n", "import", "nonsense_that_is_not", `File`},
		"syntax":      {"def app(:\n", "import", "SyntaxError", `app.py`},
		"attribute":   {"application_ = 1\n", "attribute", "app", ""},
		"lifespan":    {"async def app(scope, receive, send):\n    await receive()\n    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n", "lifespan", "no database", ""},
		"raises":      {"async def app(scope, receive, send):\n    raise RuntimeError('no ' + scope['type'])\n", "lifespan", "no lifespan", "RuntimeError"},
		"exits":       {"import os\nprint('so long', flush=True)\nos._exit(7)\n", "exit", "exit status 7", "so long"},
		"descriptors": {"import os\nos.closerange(3, 1000)\nos._exit(1)\n", "exit", "exit status 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := application(t, test.source)
			if name == "raises" { // else it is one that does not know the lifespan
				config.Lifespan = "on"
			}
			if name == "import" { // the error of the first is the error
				config.Workers = 2
			}
			p := newTestPool(t, config)
			err := p.start(limited(t))
			var start *StartError
			if !errors.As(err, &start) || start.Kind != test.kind || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%#v\n%v", start, err)
			}
			if !strings.Contains(p.log.String(), test.logs) || p.log.count("does not start") != 1 {
				t.Errorf("the log:\n%s", p.log)
			}
			if len(p.ready()) != 0 || children() != "" {
				t.Errorf("left: %d, %s", len(p.ready()), children())
			}
		})
	}
}
