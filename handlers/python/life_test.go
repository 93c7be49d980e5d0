package python

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// plain is an application without a lifespan.
const plain = `
async def app(scope, receive, send):
    raise ValueError("no " + scope["type"])
`

// A worker that dies is replaced, and the others are left alone.
func TestDeath(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{Workers: 2}, idle)
	became := make(chan struct{}, 10)
	p.onReady = func() { became <- struct{}{} }
	victim, other := p.ready()[0], p.ready()[1]
	if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, "it is gone", victim.gone)
	heir := p.next(victim, other)
	if !contains(p.ready(), other) || contains(p.ready(), victim) || heir.id <= other.id {
		t.Errorf("ready: %v", p.ready())
	}
	<-became
	p.log.wait(t, 1, "a worker died", "signal: killed")
}

// After failures there is a pause, which grows; who waits for a worker learns why there
// is none.
func TestBackoff(t *testing.T) {
	wantNothingLeft(t)
	config := Config{Dir: t.TempDir(), Backoff: time.Millisecond, MaxBackoff: time.Hour}
	write(t, config.Dir, "app.py", idle)
	p := fake(t, config, fromFile)
	w := p.only()
	write(t, config.Dir, "app.py", failing)
	w.process.Kill(errors.New("the test wants it"))
	p.log.wait(t, 3, "does not start", "nonsense")
	if err := p.failure(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("failure: %v", err)
	}
	if _, err := p.run(limited(t), "job", nil); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a job: %v", err)
	}
	write(t, config.Dir, "app.py", idle)
	p.next(w)
	if p.failure() != nil {
		t.Errorf("failure: %v", p.failure())
	}
}

// A worker that has had its share is replaced by one that is ready before, and ends when
// its last stream has.
func TestRecycling(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"requests": func(c *Config) { c.MaxRequests = 10 },
		"age":      func(c *Config) { c.MaxAge = time.Second },
		"memory":   func(c *Config) { c.MaxResidentBytes, c.BlockTimeout = 1<<20, time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			wantNothingLeft(t)
			config := Config{JitterPercent: -1}
			change(&config)
			p := fake(t, config, idle)
			w := p.only()
			if !w.begin() {
				t.Fatal("a new worker takes nothing")
			}
			if name == "requests" {
				for range 9 {
					if w.expired.Load() {
						t.Fatal("too early")
					}
					w.begin()
					w.end()
				}
			}
			p.next(w)
			p.log.wait(t, 1, "is replaced", "worker=1", "by=2")
			if !w.retiring() || w.begin() {
				t.Error("it takes more")
			}
			select {
			case <-w.gone:
				t.Error("it is gone before its stream is over")
			default:
			}
			w.end()
			wait(t, "the old one ends", w.gone)
			if w.process.Cause() != nil || !w.process.State().Success() {
				t.Errorf("%v %v", w.process.Cause(), w.process.State())
			}
		})
	}
}

// A worker whose streams do not end is stopped when its time is over.
func TestRetireTimeout(t *testing.T) {
	wantNothingLeft(t)
	p := fake(t, Config{RetireTimeout: 10 * time.Millisecond}, idle)
	w := p.only()
	w.begin()
	w.expire("the test wants it")
	p.next(w)
	wait(t, "the old one ends", w.gone)
	p.log.wait(t, 1, "still has streams", "streams=1")
	w.end()
}

func TestJitter(t *testing.T) {
	for _, n := range []int64{1, 9, 10, 1000, noLimit, noLimit - 1} {
		least, most := n, int64(0)
		for range 1000 {
			j := jitter(n, 10)
			least, most = min(least, j), max(most, j)
		}
		if least < n-n/10-1 || least < 1 || most > n || (n == 1000 && (least > 920 || most < 980)) || n == noLimit && least != n {
			t.Errorf("%d: %d to %d", n, least, most)
		}
		if jitter(n, 0) != n {
			t.Errorf("%d without", n)
		}
	}
}

func TestNextStart(t *testing.T) {
	w := new(worker)
	for name, c := range map[string]struct {
		watch  bool
		slot   slot
		starts bool
	}{
		"an empty slot":                         {false, slot{}, true},
		"after failures":                        {false, slot{failures: 3, hopeless: true}, true},
		"a worker":                              {false, slot{worker: w}, false},
		"one that has had its share":            {false, slot{worker: w, tired: "age"}, true},
		"after a crash of what is developed":    {true, slot{failures: 1}, true},
		"what does not start, without a change": {true, slot{failures: 2, hopeless: true}, false},
	} {
		c.slot.pool = &pool{config: &Config{Watch: c.watch, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}}
		at, stop := c.slot.nextStart()
		if (at != nil) != c.starts {
			t.Errorf("%s: it starts: %t", name, at != nil)
		}
		stop()
	}
}

// A reload replaces every worker; code that does not start replaces none.
func TestReload(t *testing.T) {
	wantNothingLeft(t)
	config := Config{Workers: 2, Dir: t.TempDir()}
	write(t, config.Dir, "app.py", idle)
	p := fake(t, config, fromFile)
	old := p.ready()
	write(t, config.Dir, "app.py", "print('this is new', flush=True)\n"+idle)
	if err := p.reload(limited(t)); err != nil {
		t.Fatal(err)
	}
	if ready := p.ready(); len(ready) != 2 || contains(ready, old[0]) || contains(ready, old[1]) {
		t.Errorf("ready: %v", ready)
	}
	for _, w := range old {
		wait(t, "the old one ends", w.gone)
		if !w.process.State().Success() {
			t.Errorf("%v", w.process.State())
		}
	}
	p.log.wait(t, 2, "this is new")

	old = p.ready()
	write(t, config.Dir, "app.py", failing)
	err := p.reload(limited(t))
	var start *StartError
	if !errors.As(err, &start) || start.Kind != "import" {
		t.Errorf("%v", err)
	}
	if ready := p.ready(); len(ready) != 2 || !contains(ready, old[0]) || !contains(ready, old[1]) || !ready[0].begin() {
		t.Errorf("ready: %v", ready)
	}
	p.ready()[0].end()
	p.log.wait(t, 1, "traceback", "File app.py")
	p.log.wait(t, 1, "does not start", "nonsense", "install it")
	p.log.wait(t, 1, "was not reloaded")
	if p.failure() != nil {
		t.Errorf("failure: %v", p.failure())
	}
}

// With Watch a change reloads; a change that breaks the application breaks nothing.
func TestWatch(t *testing.T) {
	wantNothingLeft(t)
	config := Config{Dir: t.TempDir(), Watch: true}
	write(t, config.Dir, "app.py", failing)
	p := fake(t, config, fromFile) // the next change may mend it: this is no error
	wait(t, "it watches", p.watching)
	if err := p.failure(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("failure: %v", err)
	}
	write(t, config.Dir, "app.py", idle)
	first := p.next()
	write(t, config.Dir, "app.py", failing+"#\n")
	p.log.wait(t, 2, "does not start", "nonsense")
	if p.only() != first || first.retiring() {
		t.Error("the old worker does not go on")
	}
	write(t, config.Dir, "app.py", "exec(open('package/new.py').read())\n"+idle)
	if err := os.Mkdir(config.Dir+"/package", 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, config.Dir+"/package", "new.py", "print('new is here', flush=True)\n")
	p.next(first)
	p.log.wait(t, 1, "new is here")
}

// A real loop that stands still is told with its stack, and its worker is replaced.
func TestBlockedLoop(t *testing.T) {
	config := application(t, `
import asyncio, time
def dig():
    time.sleep(1000)
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        asyncio.get_running_loop().call_later(0.01, dig)
        await receive()
`)
	config.BlockedAfter, config.BlockTimeout = 10*time.Millisecond, 200*time.Millisecond
	p := started(t, config)
	w := p.only()
	wait(t, "it is gone", w.gone)
	if w.process.Cause() != errBlocked {
		t.Error(w.process.Cause())
	}
	p.log.wait(t, 1, "is blocked", "worker=1")
	p.log.wait(t, 1, "traceback", "time.sleep(1000)")
}
