package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/executor/process/wire"
	"github.com/gale-server/gale/internal/longtest"
)

// bystander is a job on the other worker of a pool, which a failure must not
// reach.
type bystander struct {
	t      *testing.T
	conn   io.Closer
	result <-chan result[int]
}

func newBystander(t *testing.T, pool *Pool, m *meeting) *bystander {
	t.Helper()
	r := async(func() (int, error) { return Call[string, int](limited(t), pool, "wait", m.path) })
	return &bystander{t, m.arrival(), r}
}

// finish lets it go on: it must succeed.
func (b *bystander) finish() {
	b.t.Helper()
	_ = b.conn.Close()
	if r := <-b.result; r.err != nil {
		b.t.Errorf("the job beside: %v", r.err)
	}
}

// wantWhole checks that both workers of the pool can work at the same time.
func wantWhole(t *testing.T, pool *Pool, m *meeting) {
	t.Helper()
	b := newBystander(t, pool, m)
	newBystander(t, pool, m).finish()
	b.finish()
}

// loss is a way to lose a worker.
type loss struct {
	name   string
	mode   string // of a misbehaving worker, else a job:
	job    string
	in     any
	config Config
	linux  bool
	want   func(t *testing.T, err error)
}

// wantCrash wants a CrashError that says why.
func wantCrash(reason error, says ...string) func(t *testing.T, err error) {
	return func(t *testing.T, err error) {
		var crash *CrashError
		if !errors.As(err, &crash) || crash.Reason != reason || crash.PID == 0 || crash.State == nil {
			t.Fatalf("%T: %v", err, err)
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q is not in: %v", text, err)
			}
		}
	}
}

// wantGarbage wants a ProtocolError that says what came.
func wantGarbage(says string) func(t *testing.T, err error) {
	return func(t *testing.T, err error) {
		var e *ProtocolError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Fatalf("%T: %v", err, err)
		}
	}
}

// Each way to lose a worker costs the job that ran, with an error that says so,
// and nothing else.
func TestFailures(t *testing.T) {
	for _, test := range []loss{
		{name: "exits", job: "exit", in: 3, want: wantCrash(nil, "exit status 3")},
		{name: "exits well", job: "exit", in: 0, want: wantCrash(nil, "exit status 0")},
		{name: "is killed", job: "signal", in: syscall.SIGKILL, want: wantCrash(nil, "signal: killed", "not by the pool", "last words")},
		{name: "aborts", job: "signal", in: syscall.SIGABRT, want: wantCrash(nil, "SIGABRT")},
		{name: "breaks the runtime", job: "fatal", in: "", want: wantCrash(nil, "concurrent map")},
		{name: "exceeds its memory", job: "allocate", in: 1 << 30, config: Config{MaxMemoryBytes: 256 << 20}, linux: true,
			want: wantCrash(ErrMemory, "memory limit", "stderr: ")},
		{name: "exceeds its processor time", job: "spin", in: "", config: Config{MaxCPUTime: 50 * time.Millisecond}, linux: true,
			want: wantCrash(ErrCPUTime, "processor time")},
		{name: "prints garbage", mode: "print garbage", want: wantGarbage("progress: 50 %")},
		{name: "exits in the middle of a frame", mode: "exit mid-frame", want: wantCrash(nil, "exit status 0", "middle of a message")},
		{name: "closes its stdout", mode: "close stdout", want: wantGarbage("closed its stdout")},
		{name: "leaves a child", mode: "exit and leave a child", want: wantCrash(nil, "exit status 9")},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.linux {
				needsProc(t)
			}
			if test.mode == "close stdout" && !longtest.On() {
				t.Skip("takes as long as a process may take to end")
			}
			wantNothingLeft(t)
			test.run(t)
		})
	}
}

func (l loss) run(t *testing.T) {
	config := l.config
	if l.mode != "" {
		config = misbehaving(l.mode)
		config.HeartbeatInterval, config.HeartbeatTimeout = l.config.HeartbeatInterval, l.config.HeartbeatTimeout
		l.job = "echo"
	}
	m := newMeeting(t)
	pool := newPoolBeside(t, config)
	b := newBystander(t, pool, m)
	_, err := Call[any, any](limited(t), pool, l.job, l.in)
	l.want(t, err)
	b.finish()
	wantWhole(t, pool, m)
	if s := pool.Stats(); s.Crashed != 1 || s.Workers != 2 || s.Started != 3 {
		t.Errorf("%+v", s)
	}
}

// A silent worker is a lost one, with a job and while it has nothing to do. The two
// wait side by side.
func TestSilence(t *testing.T) {
	wantNothingLeft(t)
	var beside sync.WaitGroup
	beside.Go(func() { t.Run("at work", silentAtWork) })
	beside.Go(func() { t.Run("idle", silentWhileIdle) })
	beside.Wait()
}

func silentAtWork(t *testing.T) {
	loss{
		mode:   "fall silent",
		config: Config{HeartbeatInterval: 20 * time.Millisecond, HeartbeatTimeout: silence},
		want:   wantCrash(ErrNoHeartbeat, "no sign of life", "not another word"),
	}.run(t)
}

// silentWhileIdle stops a worker that has nothing to do.
func silentWhileIdle(t *testing.T) {
	pool := newPoolBeside(t, Config{Workers: 1, HeartbeatInterval: 10 * time.Millisecond, HeartbeatTimeout: silence})
	pid := must[int](t)(Call[struct{}, int](limited(t), pool, "pid", struct{}{}))
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return pool.Stats().Workers == 0 })
	must[[]byte](t)(pool.Do(limited(t), "echo", nil))
}

// A worker that has a child in another group, which keeps the worker's stdout
// and stderr, does not make the pool wait for it.
func TestChildKeepsPipes(t *testing.T) {
	config := misbehaving("exit and leave a child")
	config.Env = append(config.Env, "GALE_TEST_SETPGID=1")
	pool := newPool(t, config)
	_, err := pool.Do(limited(t), "echo", nil)
	var crash *CrashError
	if !errors.As(err, &crash) || !strings.Contains(crash.Stderr, "started: <nil>") {
		t.Fatal(err)
	}
	killSleeper(t)
}

func TestGarbageBehindResult(t *testing.T) {
	pool := newPool(t, misbehaving("print garbage behind a result"))
	if got, err := pool.Do(limited(t), "echo", []byte("hello")); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	eventually(t, "the worker is gone", func() bool { return pool.Stats().Workers == 0 })
	if got, err := pool.Do(limited(t), "echo", []byte("again")); err != nil || string(got) != "again" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStartFailures(t *testing.T) {
	missing := Config{Command: []string{"/no/such/program"}}
	slow := misbehaving("never say hello")
	slow.StartTimeout = 200 * time.Millisecond
	lacking := misbehaving("echo inline")
	lacking.Jobs = []string{"echo", "resize"}
	setup := Config{Env: append(os.Environ(), "GALE_TEST_SETUP=no licence")}
	other := Config{Command: []string{"/bin/sh", "-c", "echo no interpreter >&2; exit 127"}}
	for name, test := range map[string]struct {
		config Config
		says   string
		is     any
	}{
		"missing":   {missing, "no such file", new(*os.PathError)},
		"exits":     {misbehaving("exit before hello"), "exit status 7", nil},
		"says why":  {other, "no interpreter", nil},
		"setup":     {setup, "no licence", nil},
		"slow":      {slow, "StartTimeout", nil},
		"version":   {misbehaving("speak another version"), "version 2", new(*wire.VersionError)},
		"no hello":  {misbehaving("greet the world"), "not a frame", new(*wire.PeerError)},
		"lacks job": {lacking, `"resize"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := test.config
			config.Backoff = time.Hour
			config.MaxBackoff = time.Hour
			pool := newPool(t, config)
			_, err := pool.Do(limited(t), "echo", nil)
			var start *StartError
			if !errors.As(err, &start) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%T: %v", err, err)
			}
			if test.is != nil && !errors.As(err, test.is) {
				t.Errorf("%T does not wrap a %T", err, test.is)
			}
			// While the pool does not try again it says why at once.
			_, again := pool.Do(limited(t), "echo", nil)
			if !errors.As(again, &start) || start.RetryAfter < 59*time.Minute || !strings.Contains(again.Error(), test.says) {
				t.Errorf("again: %v", again)
			}
			if s := pool.Stats(); s.Workers != 0 || s.Idle != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// deadline is a context whose deadline comes when it is canceled.
type deadline struct{ context.Context }

func (d deadline) Err() error {
	if d.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// A job is told that its context is over, and killed if it does not care.
func TestDeadline(t *testing.T) {
	for _, test := range []struct {
		job    string
		killed bool
		cancel bool
	}{
		{job: "until done"}, {job: "until done", cancel: true},
		{job: "spin", killed: true}, {job: "spin", killed: true, cancel: true},
	} {
		t.Run(fmt.Sprintf("%s cancel=%v", test.job, test.cancel), func(t *testing.T) {
			m := newMeeting(t)
			grace := testLimit // of one that stops
			if test.killed {
				grace = 20 * time.Millisecond
			}
			pool := newPool(t, Config{KillAfter: grace})
			b := newBystander(t, pool, m)
			ctx, cancel := context.WithCancelCause(limited(t))
			if !test.cancel {
				ctx = deadline{ctx}
			}
			r := async(func() (string, error) { return Call[string, string](ctx, pool, test.job, m.path) })
			m.arrival()
			why := errors.New("the client went away")
			cancel(why)
			err := (<-r).err
			var missed *DeadlineError
			var canceled *CanceledError
			switch {
			case test.cancel && (!errors.As(err, &canceled) || !errors.Is(err, context.Canceled) || !errors.Is(err, why) || canceled.Killed != test.killed):
				t.Errorf("%T: %v", err, err)
			case !test.cancel && (!errors.As(err, &missed) || !errors.Is(err, context.DeadlineExceeded) || missed.Killed != test.killed):
				t.Errorf("%T: %v", err, err)
			}
			if test.killed != strings.Contains(err.Error(), "killed") {
				t.Errorf("text: %v", err)
			}
			b.finish()
			wantWhole(t, pool, m)
			want := Stats{Workers: 2, Idle: 2, Started: 2, Succeeded: 3, Stopped: 1}
			if test.killed {
				want.Started, want.Killed = 3, 1
			}
			eventually(t, fmt.Sprintf("%+v", want), func() bool { return pool.Stats() == want })
		})
	}
}

// A result that comes in spite of the context is a result.
func TestLateResult(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 1, KillAfter: testLimit})
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	r := async(func() (string, error) { return Call[string, string](ctx, pool, "late", m.path) })
	m.arrival()
	cancel()
	if got := <-r; got.err != nil || got.value != "all the same" {
		t.Error(got)
	}
	// The timer that would have killed the worker does not hit the next job.
	if s := pool.Stats(); s.Succeeded != 1 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
}

// A job that waits for a worker is given up with its context.
func TestDeadlineInQueue(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 1})
	b := newBystander(t, pool, m)
	ctx, cancel := context.WithCancel(limited(t))
	r := async(func() ([]byte, error) { return pool.Do(ctx, "echo", nil) })
	eventually(t, "it waits", func() bool { return pool.Stats().Waiting == 1 })
	cancel()
	var canceled *CanceledError
	if err := (<-r).err; !errors.As(err, &canceled) || canceled.Killed {
		t.Error(err)
	}
	b.finish()
	if _, err := pool.Do(ctx, "echo", nil); !errors.As(err, &canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
}

// A worker that starts slowly becomes ready although the job that wanted it has
// gone.
func TestDeadlineAtStart(t *testing.T) {
	pool := newPool(t, Config{Workers: 1})
	ctx, cancel := context.WithCancel(limited(t))
	r := async(func() ([]byte, error) { return pool.Do(ctx, "echo", nil) })
	eventually(t, "it starts", func() bool { return pool.Stats().Started > 0 })
	cancel()
	err := (<-r).err
	var canceled *CanceledError
	if err != nil && !errors.As(err, &canceled) {
		t.Fatal(err)
	}
	eventually(t, "ready", func() bool { return pool.Stats().Idle == 1 })
	must[[]byte](t)(pool.Do(limited(t), "echo", nil))
	if s := pool.Stats(); s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

func TestQuarantine(t *testing.T) {
	pool := newPool(t, Config{Workers: 1, QuarantineAfter: 2})
	ctx := limited(t)
	exit := func(status int) error {
		_, err := Call[int, string](ctx, pool, "exit", status)
		return err
	}
	var crash *CrashError
	for range 2 {
		if err := exit(1); !errors.As(err, &crash) {
			t.Fatal(err)
		}
	}
	var q *QuarantinedError
	if err := exit(1); !errors.As(err, &q) || q.Crashes != 2 || time.Until(q.Until) < 9*time.Minute {
		t.Errorf("%v, %+v", err, q)
	}
	if err := exit(2); !errors.As(err, &crash) {
		t.Errorf("with another payload: %v", err)
	}
	must[[]byte](t)(pool.Do(ctx, "echo", []byte("1")))
	if s := pool.Stats(); s.Quarantined != 1 || s.Crashed != 3 {
		t.Errorf("%+v", s)
	}
}

// A worker that died while it was idle costs no job.
func TestIdleDeath(t *testing.T) {
	log := &lines{seen: make(chan string, 10)}
	pool := newPool(t, Config{Workers: 1, Logger: log.logger()})
	for range 3 {
		pid := must[int](t)(Call[struct{}, int](limited(t), pool, "pid", struct{}{}))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		log.wait(t, "idle worker died")
	}
	must[[]byte](t)(pool.Do(limited(t), "echo", nil))
}

// A worker that turns out to be dead when it is to have a job is not the fault
// of that job.
func TestDeadWorkerTaken(t *testing.T) {
	pool := newPool(t, Config{Workers: 1})
	must[[]byte](t)(pool.Do(limited(t), "echo", nil))
	c := only(pool)
	c.kill(errors.New("for the test"))
	<-c.gone
	pool.mu.Lock()
	pool.idle = append(pool.idle, c) // as if this had not been noticed
	pool.mu.Unlock()
	if got := must[[]byte](t)(pool.Do(limited(t), "echo", []byte("a"))); string(got) != "a" {
		t.Errorf("%q", got)
	}
}

// A job that computes without a pause answers heartbeats.
func TestBusyHeartbeat(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 1, HeartbeatInterval: 5 * time.Millisecond, HeartbeatTimeout: testLimit})
	ctx, cancel := context.WithCancel(limited(t))
	r := async(func() (string, error) { return Call[string, string](ctx, pool, "spin", m.path) })
	m.arrival()
	c := only(pool)
	pings := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.machine.Answered()
	}
	before := pings()
	eventually(t, "pongs", func() bool { return pings() > before+3 })
	cancel()
	<-r
}

// Signals that go to every process of a service do not disturb a job.
func TestTermIgnored(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 1})
	pid := must[int](t)(Call[struct{}, int](limited(t), pool, "pid", struct{}{}))
	b := newBystander(t, pool, m)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
	b.finish()
}
