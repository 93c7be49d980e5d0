package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/internal/longtest"
)

// runMain makes the test binary the program itself, so that tests can run it as
// a process of its own.
const runMain = "GALE_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runDrainTarget) != "" {
		os.Exit(drainTargetMain())
	}
	if config := os.Getenv(victimSetup); config != "" {
		if err := victimMain(config); err != nil {
			fmt.Println(err)
			os.Exit(exitFailure)
		}
		os.Exit(exitOK)
	}
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// waitLimit bounds every wait for a process.
const waitLimit = longtest.Patience

// command returns the program with these arguments and no settings in its
// environment but those given.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GALE_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, runMain+"=1"), env...)
	return cmd
}

// output runs the program to its end.
func output(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	limit := time.AfterFunc(waitLimit, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// process is a server that runs.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string // http://... or https://...
	log    *watchedBuffer
	exited chan struct{}
}

var urlPattern = regexp.MustCompile(`https?://[^\s]+`)

// serve starts a command that serves and waits until it has said where.
func serve(t testing.TB, args ...string) *process {
	t.Helper()
	return serveCommand(t, command(t, nil, args...))
}

func serveCommand(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := startProcess(t, cmd)
	p.url = p.waitLog(urlPattern)
	return p
}

// startProcess starts a command, and keeps what it says: its standard output, and its
// standard error unless that is set.
func startProcess(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	asgitest.CheckLeaks(t)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, log: newWatchedBuffer(), exited: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = p.log
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which Cleanup ends
		defer close(p.exited)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			p.log.say("stdout: " + lines.Text())
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("the program said:\n%s", p.log)
		}
	})
	return p
}

// waitLog waits until the program has written what matches.
func (p *process) waitLog(pattern *regexp.Regexp) string {
	p.t.Helper()
	found, ok := p.log.wait(pattern, p.exited)
	if !ok {
		p.t.Fatalf("the program never said %v, but:\n%s", pattern, p.log)
	}
	return found
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end of the program.
func (p *process) wait() (code int) {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(waitLimit):
		p.t.Fatalf("the program does not end; it said:\n%s", p.log)
		return 0
	}
}

// watchedBuffer is what a program has written, and can be waited on.
type watchedBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed by the next write
}

func newWatchedBuffer() *watchedBuffer { return &watchedBuffer{written: make(chan struct{})} }

var _ io.Writer = (*watchedBuffer)(nil)

func (b *watchedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.written)
	b.written = make(chan struct{})
	return b.text.Write(p)
}

func (b *watchedBuffer) say(line string) { _, _ = b.Write([]byte(line + "\n")) }

func (b *watchedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *watchedBuffer) wait(pattern *regexp.Regexp, exited <-chan struct{}) (string, bool) {
	limit := time.After(waitLimit)
	for {
		b.mu.Lock()
		found, written := pattern.FindString(b.text.String()), b.written
		b.mu.Unlock()
		if found != "" {
			return found, true
		}
		select {
		case <-written:
		case <-exited:
			found := pattern.FindString(b.String())
			return found, found != ""
		case <-limit:
			return "", false
		}
	}
}
