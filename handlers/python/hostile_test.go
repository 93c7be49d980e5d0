package python

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/longtest"
)

// fakeBoot is a worker without an application, which speaks the protocol by hand. What
// it does once it is ready is appended.
const fakeBoot = `
import array, marshal, os, socket, sys, time
sock = socket.socket(fileno=3)
fds = []
def exactly(n):
    data = b""
    while len(data) < n:
        part, ancillary, _, _ = sock.recvmsg(n - len(data), 1000)
        if not part:
            os._exit(0)
        for _, _, value in ancillary:
            fds.extend(array.array("i", value))
        data += part
    return data
def take():
    return marshal.loads(exactly(int.from_bytes(exactly(4), "little")))[0]
def say(*frames):
    data = marshal.dumps(list(frames), 2)
    sock.sendall(len(data).to_bytes(4, "little") + data)
def ready(*jobs):
    say((1, 1, {"python": "3", "implementation": "fake", "mode": "asgi", "loop": "none", "lifespan": False, "jobs": list(jobs)}))
def until(kind):
    while True:
        frame = take()
        if frame[0] == 4:
            say((7, ""))
            os._exit(0)
        if frame[0] == kind:
            return frame
hello = take()
`

// fromFile is a worker of which a file says what it does.
const fromFile = "exec(open('app.py').read())\n"

// failing is such a file: the application cannot be imported.
const failing = `say((2, "import", "No module named 'nonsense'", "Traceback:\n  File app.py, line 1", "install it"))` + "\n"

// idle is the script of a worker that is ready, and does nothing.
const idle = "ready()\nuntil(0)\n"

// fake is a pool of such workers, by default of one.
func fake(t testing.TB, config Config, script string) *testPool {
	t.Helper()
	config.Python, config.App = quick(t), "none"
	standard(&config.Workers, 1)
	p := newTestPool(t, config)
	p.boot = fakeBoot + script
	p.restBeforeWeighing = 0
	if err := p.start(limited(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// A worker that breaks the protocol is killed and replaced, and the log says why.
func TestProtocolErrors(t *testing.T) {
	wantNothingLeft(t)
	cases := []struct{ name, script, says string }{
		{"garbage", `sock.sendall(b"\x05\0\0\0hello")`, "broke the protocol"},
		{"a long message", `sock.sendall(b"\0\0\0\x7f")`, "a message of"},
		{"not a list", `data = marshal.dumps(7, 2); sock.sendall(len(data).to_bytes(4, "little") + data)`, "broke the protocol"},
		{"an unknown kind", `say((99,))`, "broke the protocol"},
		{"wrong types", `say((3, "one", "two"))`, "broke the protocol"},
		{"too few fields", `say((4, 1.0))`, "broke the protocol"},
		{"ready twice", `ready()`, "broke the protocol"},
		{"it hangs up", `sock.close(); time.sleep(1000)`, "it closed its control socket"},
		{"it exits", `os._exit(9)`, "exit status 9"},
		{"it aborts", `os.abort()`, "signal: aborted"},
	}
	dir := t.TempDir()
	write(t, dir, "case.py", cases[0].script)
	p := fake(t, Config{Dir: dir, MaxBackoff: time.Nanosecond}, "script = open('case.py').read()\nready()\nuntil(8)\nexec(script)\nuntil(0)\n")
	w := p.only()
	for i, test := range cases {
		if i+1 < len(cases) {
			write(t, dir, "case.py", cases[i+1].script)
		}
		p.drain(time.Second) // it waits for this
		wait(t, test.name, w.gone)
		p.log.wait(t, 1, "a worker died", fmt.Sprintf("worker=%d ", w.id), test.says)
		w = p.next(w)
	}
}

// The links of a worker end with it, even if a process that it has forked, and that has
// left its group, still holds them.
func TestLinksEnd(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{}, `
ready()
until(2)
if os.fork() == 0:
    os.setsid()
    print("child", os.getpid(), flush=True)
    time.sleep(1000)
os.write(fds[0], b"x")
until(0)
`)
	w := p.only()
	link, err := w.openLink()
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	read := func() (int, error) {
		_ = link.SetReadDeadline(time.Now().Add(longtest.Patience))
		return link.Read(make([]byte, 1))
	}
	if n, err := read(); n != 1 {
		t.Fatal(err)
	}
	p.log.wait(t, 1, "child")
	pid, _ := strconv.Atoi(regexp.MustCompile(`child (\d+)`).FindStringSubmatch(p.log.String())[1])
	defer syscall.Kill(pid, syscall.SIGKILL)
	w.process.Kill(errors.New("the test wants it"))
	if n, err := read(); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
	wait(t, "it is gone", w.gone)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the test tests nothing: %v", err)
	}
	if _, err := w.openLink(); !errors.Is(err, ErrClosed) {
		t.Errorf("a link to a worker that is gone: %v", err)
	}
}

// A worker that does not answer is left alone, and one whose loop stands still for long
// is killed.
func TestBlocked(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{BlockTimeout: 100 * time.Millisecond}, `
ready()
for _ in range(5):
    until(3)
say((4, 1.5, '  File "app.py", line 7, in view\n    time.sleep(1000)\n', "/slow"))
until(3)
say((3, 6, 1, 0.099))
say((5, 1, "handlers", {"subscribe": False, "jobs": []}))
until(7)
print("still here", flush=True)
say((3, 7, 1, 0.1))
until(0)
`)
	w := p.only()
	wait(t, "it is gone", w.gone)
	if w.process.Cause() != errBlocked {
		t.Error(w.process.Cause())
	}
	p.log.wait(t, 1, "still here", "worker=1")
	p.log.wait(t, 1, "is blocked", "worker=1", "seconds=1.5", "path=/slow")
	p.log.wait(t, 1, "traceback", "line 7, in view")
}

// A worker of which nothing is heard is not ready in time.
func TestSlowStart(t *testing.T) {
	config := application(t, "import time\ntime.sleep(1000)\n")
	config.StartTimeout = 100 * time.Millisecond
	p := newTestPool(t, config)
	err := p.start(limited(t))
	var start *StartError
	if !errors.As(err, &start) || start.Kind != "timeout" || !errors.Is(err, errSlowStart) {
		t.Error(err)
	}
	config = application(t, "async def app(scope, receive, send):\n    await receive()\n    await receive()\n")
	config.StartTimeout = 3 * time.Second
	p = newTestPool(t, config)
	if err := p.start(limited(t)); !errors.Is(err, errSlowStart) {
		t.Error(err)
	}
}

// What an application does at its end is told, and bounded.
func TestSlowStop(t *testing.T) {
	const lifespan = `
import sys
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
`
	config := application(t, lifespan+`    await send({"type": "lifespan.shutdown.failed", "message": "half written"})`+"\n")
	p := started(t, config)
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	p.log.wait(t, 1, "failed to shut down", "half written")

	config = application(t, lifespan+"    await receive()\n")
	config.StopTimeout = 100 * time.Millisecond
	p = started(t, config)
	w := p.only()
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	p.log.wait(t, 1, "does not end, and is killed")
	if w.process.Cause() != errSlowStop {
		t.Error(w.process.Cause())
	}
}

// Output is logged line by line, and neither its length nor its rate is up to the
// application.
func TestOutput(t *testing.T) {
	config := application(t, `
import os, sys
print("one\n\ntwo")
os.write(2, b"not \xff text\r\n")
print("x" * 10000)
print("y" * 100, end="")
sys.stdout.flush()
os.write(1, b"z\n")
for i in range(100):
    print("flood", i)
`+plain)
	config.MaxOutputLines = 20
	p := started(t, config)
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"line=one", "line=two", "not \ufffd text", strings.Repeat("x", 4000), strings.Repeat("y", 100) + "z"} {
		p.log.wait(t, 1, line)
	}
	// In the slowest run each second has its twenty.
	if n := p.log.count("flood"); n == 0 || n == 100 {
		t.Errorf("%d lines", n)
	}
	p.log.wait(t, 1, "were dropped")
}

// What is sent to a worker that does not read waits, and its end is bounded all the same.
func TestDeaf(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{StopTimeout: 100 * time.Millisecond, BlockTimeout: 40 * time.Millisecond}, "ready('echo')\ntime.sleep(1000)\n")
	w := p.only()
	results := make(chan error, 3)
	for range cap(results) {
		go func() {
			_, err := p.run(limited(t), "echo", make([]byte, 900<<10))
			results <- err
		}()
	}
	for w.jobs.load() < cap(results) {
		time.Sleep(time.Millisecond) // a counter gives no signal
	}
	if err := p.stop(limited(t)); err != nil {
		t.Error(err)
	}
	for range cap(results) {
		var crash *CrashError
		if err := <-results; !errors.As(err, &crash) || crash.Job != "echo" || !strings.Contains(fmt.Sprint(err), "within Config.StopTimeout") {
			t.Error(err)
		}
	}
}
