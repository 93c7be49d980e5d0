package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/cmd/internal/hostile"
	"github.com/gale-server/gale/cmd/internal/victim"
)

// A victim is a server under attack, in a process of its own, so that its
// memory, goroutines and descriptors are its own. It is this test binary again,
// with its setup in the environment. It says its address, answers each line of
// standard input with its state, and stops when that ends: with an error if
// connections had to be dropped, or a goroutine is left.
const victimSetup = "GALE_TEST_VICTIM"

// setup is what a victim is told.
type setup struct {
	Engine  string
	Timeout time.Duration // 0: such as no test waits for
	Leaves  bool          // the end of a client's stream means that it is gone
	Files   uint64        // limit of open files, if not 0
	Mailbox int           // tasks that may wait
	Drain   time.Duration
	File    string // what /file answers
}

// state is what a victim says of itself.
type state struct {
	Exchanges  int64  // the application has not seen the end of
	Goroutines int    // beside those it was born with
	Files      int    // open
	Heap       uint64 // bytes after a collection
	Peak       uint64 // bytes of the heap at most, since the last time
}

func victimMain(config string) error {
	var s setup
	if err := json.Unmarshal([]byte(config), &s); err != nil {
		return err
	}
	if s.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: s.Files, Max: s.Files}); err != nil {
			return err
		}
	}
	var peak atomic.Uint64
	go func() { // ends with the process
		for range time.Tick(5 * time.Millisecond) {
			peak.Store(max(peak.Load(), heap()))
		}
	}()
	born := runtime.NumGoroutine()
	app := victim.New()
	app.File = s.File
	srv, err := s.server(app)
	if err != nil {
		return err
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	fmt.Println(addr)
	out := json.NewEncoder(os.Stdout)
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		st := state{Peak: peak.Swap(0), Exchanges: app.Exchanges(), Goroutines: runtime.NumGoroutine() - born}
		files, _ := os.ReadDir("/proc/self/fd")
		st.Files = len(files)
		if commands.Text() == "collect" {
			runtime.GC()
			runtime.GC() // a sync.Pool survives one collection
			debug.FreeOSMemory()
			st.Heap = heap()
		}
		if err := out.Encode(st); err != nil {
			return err
		}
	}
	cancel()
	return errors.Join(<-ended, leftover(born))
}

// leftover waits until there are no more goroutines than before.
func leftover(before int) error {
	for deadline := time.Now().Add(waitLimit / 3); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			return fmt.Errorf("%d goroutines are left:\n%s", runtime.NumGoroutine()-before, stacks.String())
		}
	}
	return nil
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// server makes the engine. Two loops, however many cores there are, so that one
// of them can be blocked.
func (s *setup) server(app *victim.Victim) (engine, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	moment := cmp.Or(s.Timeout, time.Hour)
	if s.Engine == engineNetHTTP {
		return nethttp.NewServer(nethttp.Config{Handler: app, Logger: log, DrainTimeout: s.Drain, MailboxTasks: s.Mailbox,
			HeadTimeout: moment, BodyRatePeriod: moment, WriteTimeout: moment, CloseTimeout: moment})
	}
	c := server.Config{Handler: app, Logger: log, DrainTimeout: s.Drain}
	if s.Leaves {
		c.HalfClose = server.HalfCloseDisconnects
	}
	c.Loop.Loops, c.Loop.MailboxTasks = 2, s.Mailbox
	c.HeadTimeout, c.BodyRatePeriod, c.CloseTimeout = moment, moment, moment
	c.Loop.WriteTimeout, c.Loop.CloseTimeout, c.Loop.LingerTimeout = moment, moment, moment
	return server.New(c)
}

// victimProcess is a victim as its attackers' side sees it.
type victimProcess struct {
	t       testing.TB
	setup   setup
	cmd     *exec.Cmd
	addr    string
	stdin   io.WriteCloser
	replies *bufio.Reader
	log     *watchedBuffer
	before  state
}

// startVictim starts a victim. It is stopped, and must end in good order, when
// the test does.
func startVictim(t testing.TB, s setup) *victimProcess {
	t.Helper()
	config, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, []string{victimSetup + "=" + string(config)})
	v := &victimProcess{t: t, setup: s, cmd: cmd, log: newWatchedBuffer()}
	cmd.Stderr = v.log
	if v.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.replies = bufio.NewReader(stdout)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.stop)
	v.addr = strings.TrimSpace(v.line())
	// What a process opens with its first connection, and keeps, is no leak.
	if err := hostile.NewWitnesses(hostile.Target{Addr: v.addr}, 2, paths(victim.Forms)...).Stop(); err != nil {
		t.Fatal(err)
	}
	v.before = v.calm()
	return v
}

// strict says what Target.Strict means of the victim.
func (v *victimProcess) strict() bool { return v.setup.Engine == engineLoop && !v.setup.Leaves }

// stop has the victim stop.
func (v *victimProcess) stop() {
	limit := time.AfterFunc(waitLimit, func() { _ = v.cmd.Process.Signal(syscall.SIGQUIT) })
	defer limit.Stop()
	_ = v.stdin.Close()
	rest, _ := io.ReadAll(v.replies)
	err := v.cmd.Wait()
	if err != nil || strings.Contains(v.log.String(), "DATA RACE") {
		v.t.Errorf("the server ends with %v: %s", err, rest)
	}
	if v.t.Failed() {
		v.t.Logf("the server said:\n%s", abridged(v.log.String()))
	}
}

// abridged is what is worth reading of a long log.
func abridged(log string) string {
	const most = 20 << 10
	if len(log) <= most {
		return log
	}
	return log[:most/2] + "\n...\n" + log[len(log)-most/2:]
}

func (v *victimProcess) line() string {
	v.t.Helper()
	limit := time.AfterFunc(waitLimit, func() { _ = v.cmd.Process.Signal(syscall.SIGQUIT) })
	defer limit.Stop()
	line, err := v.replies.ReadString('\n')
	if err != nil {
		v.t.Fatalf("the server does not answer: %v", err)
	}
	return line
}

// ask asks for the state.
func (v *victimProcess) ask(command string) (st state) {
	v.t.Helper()
	if _, err := fmt.Fprintln(v.stdin, command); err != nil {
		v.t.Fatalf("the server does not listen: %v", err)
	}
	if err := json.Unmarshal([]byte(v.line()), &st); err != nil {
		v.t.Fatal(err)
	}
	return st
}

// calm waits until nobody is served any more and nothing is left of those who
// were, and returns the state then.
func (v *victimProcess) calm() state {
	v.t.Helper()
	peak := uint64(0)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(waitLimit); ; <-tick.C {
		st := v.ask("state")
		peak = max(peak, st.Peak)
		if st.Exchanges == 0 && (v.before.Files == 0 || st.Goroutines <= v.before.Goroutines && st.Files <= v.before.Files) {
			st = v.ask("collect")
			st.Peak = max(st.Peak, peak)
			return st
		}
		if time.Now().After(deadline) {
			_ = v.cmd.Process.Signal(syscall.SIGQUIT) // it says where everything stands
			v.t.Fatalf("after %v there are left %+v; before there were %+v", waitLimit, st, v.before)
		}
	}
}

// waitLog waits until the server has logged what matches.
func (v *victimProcess) waitLog(pattern *regexp.Regexp) string {
	v.t.Helper()
	found, ok := v.log.wait(pattern, nil)
	if !ok {
		v.t.Fatalf("the server never said %v", pattern)
	}
	return found
}

// largeFile is a file of the length of what an outbox holds, several times over.
func largeFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
