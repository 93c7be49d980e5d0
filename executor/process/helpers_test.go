package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/executor/process/wire"
	"github.com/gale-server/gale/internal/longtest"
)

// testLimit is how long a test waits for what should come at once.
const testLimit = longtest.Patience

// silence is that of a worker that is taken for dead. It is waited for; a healthy
// worker, too, answers within it on a slow machine.
const silence = 3 * time.Second

func TestMain(m *testing.M) {
	if mode := os.Getenv("GALE_TEST_WORKER"); mode != "" {
		misbehave(mode)
	}
	Main()
	if r, w, err := os.Pipe(); err == nil { // the runtime keeps its poller, which is no leak
		_, _ = r.Close(), w.Close()
	}
	os.Exit(m.Run())
}

type point struct{ X, Y int }

func init() {
	Setup(func() error {
		if text := os.Getenv("GALE_TEST_SETUP"); text != "" {
			return errors.New(text)
		}
		return nil
	})
	Register("echo", func(_ context.Context, p []byte) ([]byte, error) { return p, nil })
	Register("swap", func(_ context.Context, p point) (point, error) { return point{p.Y, p.X}, nil })
	Register("blob", func(_ context.Context, b Blob[point]) (Blob[string], error) {
		return Blob[string]{fmt.Sprint(b.Meta), append(b.Data, '!')}, nil
	})
	Register("pid", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })
	Register("fail", func(_ context.Context, text string) (string, error) { return "", errors.New(text) })
	Register("panic", func(_ context.Context, text string) (string, error) { panic(text) })
	Register("goexit", func(context.Context, string) (string, error) { runtime.Goexit(); return "", nil })
	Register("exit", func(_ context.Context, status int) (string, error) { os.Exit(status); return "", nil })
	Register("signal", func(_ context.Context, s syscall.Signal) (string, error) {
		fmt.Fprintln(os.Stderr, "last words")
		_ = syscall.Kill(os.Getpid(), s)
		select {}
	})
	Register("fatal", func(context.Context, string) (string, error) {
		fmt.Fprintln(os.Stderr, "noise before")
		m := map[int]int{}
		for range 8 { // the Go runtime ends a program that does this
			go func() {
				for {
					m[1]++
				}
			}()
		}
		select {}
	})
	Register("allocate", func(_ context.Context, bytes int) (int, error) {
		p := make([]byte, bytes)
		for i := 0; i < len(p); i += 4096 {
			p[i] = 1
		}
		return len(p), nil
	})
	Register("keep", func(_ context.Context, bytes int) (int, error) {
		kept = make([]byte, bytes)
		for i := 0; i < len(kept); i += 4096 {
			kept[i] = 1
		}
		return os.Getpid(), nil
	})
	Register("spin", func(_ context.Context, path string) (string, error) {
		if path != "" {
			dial(path)
		}
		for i := 0; ; i++ {
			sink.Store(int64(i))
		}
	})
	Register("until done", func(ctx context.Context, path string) (string, error) {
		defer dial(path).Close()
		<-ctx.Done()
		return "", fmt.Errorf("stopping: %w", ctx.Err())
	})
	Register("late", func(ctx context.Context, path string) (string, error) {
		defer dial(path).Close()
		<-ctx.Done()
		return "all the same", nil
	})
	Register("wait", func(_ context.Context, path string) (int, error) {
		_, err := io.Copy(io.Discard, dial(path))
		return os.Getpid(), err
	})
	Register("print", func(_ context.Context, text string) (string, error) {
		fmt.Print(text)
		_, err := os.Stdin.Read(make([]byte, 1))
		return fmt.Sprint(err), nil
	})
	Register("count", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			if err := Progress(ctx, i); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	Register("grow", func(_ context.Context, bytes int) ([]byte, error) { return make([]byte, bytes), nil })
	Register("child", func(_ context.Context, path string) (int, error) {
		// A process of its own that outlives the job, holding our stdout and stderr.
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
		if err != nil {
			return 0, err
		}
		return p.Pid, nil
	})
	Register("state", func(context.Context, struct{}) (state, error) { return inspect() })
}

var (
	kept []byte
	sink atomic.Int64
)

// dial connects to a test, which so knows that the job runs.
func dial(path string) net.Conn {
	conn, err := net.Dial("unix", path)
	if err != nil {
		panic(err)
	}
	return conn
}

// state is what a worker sees of itself.
type state struct {
	Files  map[int]string
	Nices  []int
	Group  bool // it leads a process group
	Limits string
	Env    []string
}

func inspect() (s state, err error) {
	s.Files = map[int]string{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return s, err
	}
	for _, fd := range fds {
		n, _ := strconv.Atoi(fd.Name())
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			s.Files[n] = to
		}
	}
	threads, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		return s, err
	}
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		nice, err := strconv.Atoi(strings.Fields(rest)[16])
		if err != nil {
			return s, err
		}
		s.Nices = append(s.Nices, nice)
	}
	s.Group = syscall.Getpgrp() == os.Getpid()
	limits, err := os.ReadFile("/proc/self/limits")
	s.Limits = string(limits)
	s.Env = os.Environ()
	return s, err
}

// misbehave is a worker that does not what the protocol says.
func misbehave(mode string) {
	_ = os.Unsetenv("GALE_TEST_WORKER")
	if mode == "be the host of a pool" {
		beHost()
	}
	fmt.Fprintln(os.Stderr, "about to", mode)
	m := wire.NewWorker()
	var mu sync.Mutex // guards m
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	next := func() (event wire.Event) {
		for event.Type == wire.NeedData {
			_, err := in.Peek(1)
			if err == io.EOF {
				os.Exit(0)
			}
			p, _ := in.Peek(in.Buffered())
			mu.Lock()
			event, err = m.Next(p)
			mu.Unlock()
			if err != nil {
				panic(err)
			}
			_, _ = in.Discard(event.N)
		}
		return event
	}
	say := func(frame []byte, err error) {
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.Write(frame)
	}
	switch mode {
	case "exit before hello":
		os.Exit(7)
	case "never say hello":
		select {}
	case "speak another version":
		next()
		frame, _ := m.AppendWorkerHello(nil, wire.WorkerHello{})
		_, _ = os.Stdout.WriteString(strings.Replace(string(frame), `"protocol":1`, `"protocol":2`, 1))
		select {}
	case "greet the world":
		_, _ = os.Stdout.WriteString("Hello, world!\n")
		select {}
	}
	next()
	say(m.AppendWorkerHello(nil, wire.WorkerHello{Jobs: []string{"echo", "wait"}}))
	for {
		event := next()
		switch event.Type {
		case wire.Ping:
			mu.Lock()
			say(m.AppendPong(nil))
			mu.Unlock()
			continue
		case wire.Job:
		default:
			continue
		}
		if event.Name == "wait" {
			conn := dial(strings.Trim(string(event.Data), `"`))
			go func() { // ends with the process
				_, _ = io.Copy(io.Discard, conn)
				mu.Lock()
				defer mu.Unlock()
				frame, err := m.AppendResult(nil, 1, false)
				say(append(frame, '1'), err)
			}()
			continue
		}
		switch mode {
		case "print garbage":
			_, _ = os.Stdout.WriteString("progress: 50 %\n")
			select {}
		case "print garbage behind a result":
			say(m.AppendResult(nil, int64(len(event.Data)), false))
			_, _ = os.Stdout.Write(append(event.Data, "oops"...))
		case "fall silent":
			fmt.Fprintln(os.Stderr, "not another word")
			select {} // reads no ping
		case "call and fall silent":
			_, _ = io.Copy(io.Discard, dial(string(event.Data))) // ends with the test, if nothing else ends it
			os.Exit(0)
		case "exit mid-frame":
			frame, _ := m.AppendResult(nil, 100, false)
			_, _ = os.Stdout.Write(append(frame, "not a hundred"...))
			os.Exit(0)
		case "close stdout":
			_ = os.Stdout.Close()
			select {}
		case "exit and leave a child":
			_, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{
				Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
				Sys:   &syscall.SysProcAttr{Setpgid: os.Getenv("GALE_TEST_SETPGID") != ""},
			})
			fmt.Fprintln(os.Stderr, "started:", err)
			os.Exit(9)
		case "echo inline":
			say(m.AppendResult(nil, int64(len(event.Data)), false))
			_, _ = os.Stdout.Write(event.Data)
		default:
			panic(mode)
		}
	}
}

// misbehaving is the configuration of a pool of such workers.
func misbehaving(mode string) Config {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Config{Command: []string{exe}, Env: append(os.Environ(), "GALE_TEST_WORKER="+mode)}
}

// newPool is a pool of quiet, quick workers, which is closed when the test ends
// and must leave no goroutine, descriptor or process behind.
func newPool(t testing.TB, config Config) *Pool {
	t.Helper()
	wantNothingLeft(t)
	return newPoolBeside(t, config)
}

// wantNothingLeft looks for goroutines, descriptors and processes at the end of the
// test.
func wantNothingLeft(t testing.TB) {
	t.Helper()
	asgitest.CheckLeaks(t)
	t.Cleanup(func() {
		if left := children(); left != "" {
			t.Errorf("processes are left: %s", left)
		}
	})
}

// newPoolBeside is newPool for subtests that run side by side, whose test calls
// wantNothingLeft.
func newPoolBeside(t testing.TB, config Config) *Pool {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.KillAfter == 0 {
		config.KillAfter = 200 * time.Millisecond
	}
	if config.Workers == 0 {
		config.Workers = 2
	}
	if config.Nice == 0 {
		config.Nice = -1 // at the lowest priority a worker gets next to nothing of a busy machine
	}
	if config.Backoff == 0 {
		config.Backoff = time.Millisecond
	}
	pool, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(limited(t)); err != nil {
			t.Error("close:", err)
		}
	})
	return pool
}

// children are the processes whose parent is this one, zombies too.
func children() string {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	var all strings.Builder
	for _, path := range lists {
		b, _ := os.ReadFile(path)
		all.Write(b)
	}
	return strings.TrimSpace(all.String())
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// meeting is where jobs say that they run and wait to be let go.
type meeting struct {
	t        testing.TB
	path     string
	listener *net.UnixListener
}

func newMeeting(t testing.TB) *meeting {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("gale-%x.sock", rand.Uint64()))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &meeting{t, path, l}
}

// arrival waits for a job; closing what it returns lets the job go on.
func (m *meeting) arrival() net.Conn {
	m.t.Helper()
	_ = m.listener.SetDeadline(time.Now().Add(testLimit))
	conn, err := m.listener.Accept()
	if err != nil {
		m.t.Fatal("no job came:", err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// eventually waits for a condition that gives no signal.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(testLimit)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// result is what comes of a job on a goroutine of its own.
type result[T any] struct {
	value T
	err   error
}

func async[T any](fn func() (T, error)) <-chan result[T] {
	ch := make(chan result[T], 1)
	go func() {
		v, err := fn()
		ch <- result[T]{v, err}
	}()
	return ch
}

func needsProc(t testing.TB) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: needs Linux")
	}
}

// newTCP makes a listener and a conn, for workers to have no part in.
func newTCP(t testing.TB) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		careless, err := syscall.Dup(int(fd))
		if err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { _ = syscall.Close(careless) })
	})
}

// lines is a log whose lines can be waited for.
type lines struct{ seen chan string }

func (l *lines) Write(p []byte) (int, error) {
	select {
	case l.seen <- string(p):
	default:
	}
	return len(p), nil
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) wait(t testing.TB, text string) {
	t.Helper()
	deadline := time.After(testLimit)
	for {
		select {
		case line := <-l.seen:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("not in the log: %s", text)
		}
	}
}

// killSleeper kills the process that a worker left behind on purpose.
func killSleeper(t testing.TB) {
	t.Helper()
	found := false
	stats, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		if string(b) != "sleep\x001000\x00" {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if strings.Contains(string(env), "GALE_TEST_SETPGID=1") {
			found = true
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if !found && runtime.GOOS == "linux" {
		t.Error("the process that was left behind is gone: the test tests nothing")
	}
}

// beHost is a process with workers of its own that call the test's meeting: one
// computes, one does not even read its stdin. It waits to be killed.
func beHost() {
	pool, err := New(Config{Workers: 2, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	silent := misbehaving("call and fall silent")
	silent.Logger = slog.New(slog.DiscardHandler)
	deaf, err := New(silent)
	if err != nil {
		panic(err)
	}
	path := os.Getenv("GALE_TEST_MEETING")
	go func() { _, _ = Call[string, string](context.Background(), pool, "spin", path) }()
	go func() { _, _ = deaf.Do(context.Background(), "echo", []byte(path)) }()
	select {}
}

// only is the worker of a pool that has one.
func only(pool *Pool) *child {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	for c := range pool.live {
		return c
	}
	panic("no worker")
}
