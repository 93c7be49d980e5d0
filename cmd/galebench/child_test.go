package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestChild(t *testing.T) {
	c, err := startChild("raw", pinned())
	if err != nil {
		t.Fatal(err)
	}
	pid := c.cmd.Process.Pid
	defer func() {
		c.stop()
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("after stop: %v", err)
		}
	}()
	a, err := c.ask("memory")
	if err != nil || a.Heap == 0 || a.Stack == 0 {
		t.Errorf("memory: %+v, error %v", a, err)
	}
	if _, err := c.ask("dance"); err == nil {
		t.Error("a command that does not exist was obeyed")
	}
	if n, err := c.rss(); err != nil || n < 1<<20 || n > 1<<30 {
		t.Errorf("rss %d, error %v", n, err)
	}
	c.resetPeak()
	if n, err := c.peak(); err != nil || n < 1<<20 || n > 1<<30 {
		t.Errorf("peak %d, error %v", n, err)
	}
	used, err := c.cpu()
	if err != nil || used.total <= 0 || used.total > time.Minute || used.user > time.Minute {
		t.Errorf("cpu %+v, error %v", used, err)
	}
}

// What is read of another process is what it would say of itself.
func TestCPUClocks(t *testing.T) {
	process, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self := &child{cmd: &exec.Cmd{Process: process}, pids: []int{process.Pid}}
	for n := 1; usage(t).user < 200*time.Millisecond; n++ {
		spun += n * n
	}
	before := usage(t)
	used, err := self.cpu()
	if err != nil {
		t.Fatal(err)
	}
	after := usage(t)
	const tolerance = 50 * time.Millisecond // a few ticks of the clock of user time
	if used.total < before.total-tolerance || used.total > after.total+tolerance {
		t.Errorf("the clock says %v, getrusage %v and then %v", used.total, before.total, after.total)
	}
	if used.user < before.user-tolerance || used.user > after.user+tolerance {
		t.Errorf("the clock says %v in user mode, getrusage %v and then %v", used.user, before.user, after.user)
	}
}

// usage is what getrusage says of this process.
func usage(t *testing.T) cpu {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	user := time.Duration(u.Utime.Nano())
	return cpu{total: user + time.Duration(u.Stime.Nano()), user: user}
}

var spun int // keeps a loop from being optimized away

// A server ends with its input, for a parent that was killed.
func TestChildEndsWithItsInput(t *testing.T) {
	c, err := startChild("gale-event", unpinned())
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.line(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want the end of its output", err)
	}
}

func TestChildThatFails(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr, _ = os.Open(os.DevNull)
	if _, err := startChild("uvicorn", unpinned()); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("error %v", err)
	}
}
