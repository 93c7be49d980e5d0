package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/executor/process/wire"
)

func TestCall(t *testing.T) {
	pool := newPool(t, Config{})
	ctx := limited(t)
	if got := must[point](t)(Call[point, point](ctx, pool, "swap", point{1, 2})); got != (point{2, 1}) {
		t.Errorf("JSON: %v", got)
	}
	if got := must[[]byte](t)(Call[[]byte, []byte](ctx, pool, "echo", []byte("\xff\x00"))); string(got) != "\xff\x00" {
		t.Errorf("bytes: %q", got)
	}
	blob := must[Blob[string]](t)(Call[Blob[point], Blob[string]](ctx, pool, "blob", Blob[point]{point{3, 4}, []byte("data")}))
	if blob.Meta != "{3 4}" || string(blob.Data) != "data!" {
		t.Errorf("blob: %v", blob)
	}
	if got := must[[]byte](t)(Call[[]byte, []byte](ctx, pool, "echo", nil)); len(got) != 0 {
		t.Errorf("nothing: %q", got)
	}
	pid := must[int](t)(Call[struct{}, int](ctx, pool, "pid", struct{}{}))
	if pid == os.Getpid() || pid != must[int](t)(Call[struct{}, int](ctx, pool, "pid", struct{}{})) {
		t.Errorf("process %d: not a worker, or not one that is kept", pid)
	}
	if s := pool.Stats(); s.Workers != 1 || s.Idle != 1 || s.Started != 1 || s.Succeeded != 6 {
		t.Errorf("stats: %+v", s)
	}
}

// Payloads of every way to travel: with the frame, behind it, through memory,
// and through the pipe where a worker has no memory.
func TestPayloads(t *testing.T) {
	sizes := []int{0, 1, 4 << 10, 4<<10 + 1, 64 << 10, 64<<10 + 1, 1 << 20, 1<<20 + 1, 3 << 20}
	for name, config := range map[string]Config{"memory": {}, "pipe": misbehaving("echo inline")} {
		t.Run(name, func(t *testing.T) {
			config.Workers = 1
			config.MaxPayloadBytes = 3 << 20
			pool := newPool(t, config)
			for i, size := range append(sizes, sizes...) {
				in := bytes.Repeat([]byte{byte(i + 1)}, size)
				got := must[[]byte](t)(pool.Do(limited(t), "echo", in))
				if !bytes.Equal(got, in) {
					t.Fatalf("%d bytes came back as %d others", size, len(got))
				}
			}
			if _, err := pool.Do(limited(t), "echo", make([]byte, 3<<20+1)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("too large: %v", err)
			}
		})
	}
}

func TestResultTooLarge(t *testing.T) {
	pool := newPool(t, Config{MaxPayloadBytes: 1 << 20, Workers: 1})
	_, err := Call[int, []byte](limited(t), pool, "grow", 1<<20+1)
	var remote *RemoteError
	if !errors.As(err, &remote) || !strings.Contains(err.Error(), "MaxPayloadBytes") {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(Call[int, []byte](limited(t), pool, "grow", 1<<20)); len(got) != 1<<20 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestJobErrors(t *testing.T) {
	pool := newPool(t, Config{Workers: 1})
	ctx := limited(t)
	for _, test := range []struct {
		job, says string
		panic     bool
	}{
		{job: "fail", says: "on purpose"},
		{job: "panic", says: "on purpose", panic: true},
		{job: "goexit", says: "Goexit", panic: true},
	} {
		_, err := Call[string, string](ctx, pool, test.job, "on purpose")
		var remote *RemoteError
		if !errors.As(err, &remote) || !strings.Contains(err.Error(), test.says) || remote.Panic != test.panic || remote.Job != test.job {
			t.Errorf("%s: %v", test.job, err)
		}
		if test.job == "panic" && !strings.Contains(remote.Stack, "helpers_test.go") {
			t.Errorf("stack: %s", remote.Stack)
		}
	}
	if _, err := pool.Do(ctx, "swap", []byte("no JSON")); err == nil || !strings.Contains(err.Error(), "payload") {
		t.Errorf("bad input: %v", err)
	}
	if _, err := pool.Do(ctx, "no such thing", nil); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := Call[point, int](ctx, pool, "swap", point{}); err == nil {
		t.Error("a result of another type")
	}
	if s := pool.Stats(); s.Started != 1 {
		t.Errorf("workers that failed no more than a job were replaced: %+v", s)
	}
}

func TestProgress(t *testing.T) {
	const n = 2000 // more than pipe and queue hold
	pool := newPool(t, Config{Workers: 1})
	var seen []int
	got, err := Call[int, int](limited(t), pool, "count", n, OnProgress(func(i int) { seen = append(seen, i) }))
	if err != nil || got != n || len(seen) != n || !slices.IsSorted(seen) {
		t.Errorf("%d, %v, %d reports", got, err, len(seen))
	}
	if got, err := Call[int, int](limited(t), pool, "count", n); err != nil || got != n {
		t.Errorf("nobody listens: %d, %v", got, err)
	}
	if _, err := Call[int, int](limited(t), pool, "count", n, OnProgress(func(string) {})); err == nil || !strings.Contains(err.Error(), "progress") {
		t.Errorf("of another type: %v", err)
	}
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("a panic of the caller's function did not reach the caller")
			}
		}()
		_, _ = Call[int, int](limited(t), pool, "count", n, OnProgress(func(i int) {
			eventually(t, "more than there is room for", only(pool).stalled.Load)
			panic("mine")
		}))
	}()
	if got, err := Call[int, int](limited(t), pool, "count", 1); err != nil || got != 1 {
		t.Errorf("afterwards: %d, %v", got, err)
	}
	if err := Progress(context.Background(), 1); err != nil {
		t.Errorf("without a job: %v", err)
	}
}

// What a job prints breaks nothing, and is logged.
func TestPrint(t *testing.T) {
	log := &lines{seen: make(chan string, 100)}
	pool := newPool(t, Config{Workers: 1, Logger: log.logger()})
	if got := must[string](t)(Call[string, string](limited(t), pool, "print", "hello from a job\n")); got != "EOF" {
		t.Errorf("stdin of a job: %s", got)
	}
	log.wait(t, "hello from a job")
}

// A worker has what it was given, and nothing else of this process.
func TestIsolation(t *testing.T) {
	needsProc(t)
	m := newMeeting(t) // a socket
	newTCP(t)          // and those of a client, one not marked as close-on-exec
	t.Setenv("LISTEN_FDS", "3")
	pool := newPool(t, Config{Workers: 2, Nice: 19, MaxFiles: 99, MaxMemoryBytes: 1 << 30})
	first := async(func() (int, error) { return Call[string, int](limited(t), pool, "wait", m.path) })
	conn := m.arrival()
	s := must[state](t)(Call[struct{}, state](limited(t), pool, "state", struct{}{})) // beside the first worker
	_ = conn.Close()
	must[int](t)((<-first).value, nil)
	for fd, to := range s.Files {
		kind, _, _ := strings.Cut(to, ":")
		switch {
		case kind == "pipe", strings.HasPrefix(to, "/memfd:gale-payload"), to == os.DevNull, kind == "anon_inode", strings.HasPrefix(to, "/proc/"), strings.HasPrefix(to, "/sys/"):
		default:
			t.Errorf("descriptor %d is %s", fd, to)
		}
	}
	if pipes := len(slices.DeleteFunc(values(s.Files), func(to string) bool { return !strings.HasPrefix(to, "pipe:") })); pipes != 4 {
		t.Errorf("%d pipes, not stdin, stdout, and stderr twice: %v", pipes, s.Files)
	}
	for _, nice := range s.Nices {
		if nice != 19 {
			t.Errorf("niceness of the threads: %v", s.Nices)
			break
		}
	}
	if !s.Group {
		t.Error("it has no process group of its own")
	}
	limits := strings.Join(strings.Fields(s.Limits), " ")
	for _, limit := range []string{"Max open files 99 99", "Max core file size 0 0"} {
		if !strings.Contains(limits, limit) {
			t.Errorf("no %q in %s", limit, limits)
		}
	}
	if strings.Contains(limits, "Max address space unlimited") {
		t.Error("no limit of the address space")
	}
	for _, name := range []string{"LISTEN_FDS", workerEnv} {
		if slices.ContainsFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") }) {
			t.Errorf("%s is in the environment", name)
		}
	}
}

func values(m map[int]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// Many callers, few workers: each gets its own answer, and no more processes run.
func TestConcurrent(t *testing.T) {
	pool := newPool(t, Config{Workers: 2})
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			got, err := Call[point, point](limited(t), pool, "swap", point{i, -i})
			if err != nil || got != (point{-i, i}) {
				t.Errorf("%d: %v, %v", i, got, err)
			}
		})
	}
	group.Wait()
	if s := pool.Stats(); s.Workers > 2 || s.Started > 2 || s.Succeeded != 50 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMaxJobs(t *testing.T) {
	pool := newPool(t, Config{Workers: 1, MaxJobs: 2})
	seen := map[int]int{}
	for range 6 {
		seen[must[int](t)(Call[struct{}, int](limited(t), pool, "pid", struct{}{}))]++
	}
	if len(seen) != 3 {
		t.Errorf("jobs by process: %v", seen)
	}
	eventually(t, "replaced", func() bool { return pool.Stats().Replaced == 3 })
}

func TestMaxResidentBytes(t *testing.T) {
	needsProc(t)
	pool := newPool(t, Config{Workers: 1, MaxResidentBytes: 100 << 20})
	var pids []int
	for _, n := range []int{1 << 20, 150 << 20, 1 << 20} {
		pids = append(pids, must[int](t)(Call[int, int](limited(t), pool, "keep", n)))
	}
	if pids[0] != pids[1] || pids[1] == pids[2] {
		t.Errorf("processes %v: the one that held 150 MiB should not have had the next job", pids)
	}
}

// A worker that is the same program has the same jobs, or does not start.
func TestRegistryDiffers(t *testing.T) {
	Register("of the host alone", func(_ context.Context, in int) (int, error) { return in, nil })
	t.Cleanup(func() { delete(registry.jobs, "of the host alone") })
	pool := newPool(t, Config{})
	var start *StartError
	if _, err := pool.Do(limited(t), "echo", nil); !errors.As(err, &start) || !strings.Contains(err.Error(), "other jobs") {
		t.Error(err)
	}
}

// Memory for payloads has the size it was made with, and keeps little between
// jobs.
func TestMemory(t *testing.T) {
	needsProc(t)
	f := must[*os.File](t)(newMemory(1 << 20))
	defer f.Close()
	for _, size := range []int64{0, 1<<20 - 1, 1<<20 + 1} {
		if f.Truncate(size) == nil {
			t.Errorf("it can have %d bytes", size)
		}
	}
	if _, err := f.WriteAt([]byte("x"), 1<<20); err == nil {
		t.Error("it grows")
	}
	pool := newPool(t, Config{Workers: 1})
	must[[]byte](t)(pool.Do(limited(t), "echo", make([]byte, 8<<20)))
	c := only(pool)
	for _, f := range []*os.File{c.input, c.output} {
		info := must[os.FileInfo](t)(f.Stat())
		if held := info.Sys().(*syscall.Stat_t).Blocks * 512; held > retainedBytes {
			t.Errorf("%d bytes are held between jobs", held)
		}
	}
}

// A caller that is slow to take progress is no reason to kill the worker.
func TestSlowCallerIsNoSilence(t *testing.T) {
	pool := newPool(t, Config{Workers: 1, HeartbeatInterval: time.Hour, HeartbeatTimeout: time.Hour})
	slow := true
	const n = 20000
	got, err := Call[int, int](limited(t), pool, "count", n, OnProgress(func(int) {
		if !slow {
			return
		}
		slow = false
		c := only(pool)
		eventually(t, "we do not read", c.stalled.Load)
		for range 5 { // the timeout is one interval
			c.beat()
		}
	}))
	if err != nil || got != n {
		t.Errorf("%d, %v", got, err)
	}
	c := only(pool)
	eventually(t, "we read", func() bool { return !c.stalled.Load() })
	c.beat() // now it is asked, and has to answer
	eventually(t, "an answer", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.machine.Answered() == 1
	})
}

func TestConfig(t *testing.T) {
	for name, config := range map[string]Config{
		"workers": {Workers: -1}, "payload": {MaxPayloadBytes: -1}, "huge payload": {MaxPayloadBytes: 1 << 40},
		"nice": {Nice: 20}, "command": {Command: []string{}}, "backoff": {Backoff: -1},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if c := must[Config](t)(Config{}.withDefaults()); c.Nice != 19 {
		t.Errorf("the default is to yield to everything else, and not nice %d", c.Nice)
	}
	c := must[Config](t)(Config{Nice: -1, MaxMemoryBytes: -1, MaxFiles: -1, HeartbeatInterval: -1, KillAfter: -1, QuarantineAfter: -1}.withDefaults())
	if c.Nice != 0 || c.MaxMemoryBytes != 0 || c.MaxFiles != 0 || c.HeartbeatInterval != 0 || c.KillAfter != 0 || c.QuarantineAfter != 0 {
		t.Errorf("negative: %+v", c)
	}
}

func TestRegisterPanics(t *testing.T) {
	for _, name := range []string{"echo", "", strings.Repeat("x", 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q can be registered", name)
				}
			}()
			Register(name, func(context.Context, int) (int, error) { return 0, nil })
		}()
	}
}

func TestBlobCutOff(t *testing.T) {
	whole := must[[]byte](t)(Blob[int]{5, []byte("x")}.MarshalBinary())
	for n := range len(whole) - 1 {
		var b Blob[int]
		if err := b.UnmarshalBinary(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are a blob", n, len(whole))
		}
	}
	var b Blob[int]
	if err := b.UnmarshalBinary(whole); err != nil || !reflect.DeepEqual(b, Blob[int]{5, []byte("x")}) {
		t.Errorf("%v, %v", b, err)
	}
}

// TestLimits holds the README to the defaults.
func TestLimits(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxPayloadBytes != 64<<20 || c.MaxProgress != 1_000_000 || wire.MaxProgressBytes != 64<<10 || wire.MaxControlBytes != 256<<10 ||
		wire.MaxDepth != 16 || wire.MaxJobs != 1024 || wire.MaxNameBytes != 255 {
		t.Error("a limit is another than here and in the README")
	}
	for _, row := range []string{
		`\| 64 MiB \|.*process\.Config\.MaxPayloadBytes`,
		`\| 256 KiB; 16 levels; 1024 of 255 B \|.*executor/process/wire`,
		`\| 1,000,000, of 64 KiB \|.*process\.Config\.MaxProgress`,
	} {
		if !regexp.MustCompile(row).Match(readme) {
			t.Errorf("the README has no line %s", row)
		}
	}
}
