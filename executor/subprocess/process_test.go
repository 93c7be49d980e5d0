package subprocess

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
)

// run starts a shell script, whose stdout it returns.
func run(t *testing.T, s *Starter, script string) (*Process, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdout = w
	p, err := s.Start(cmd)
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return p, r
}

// A process that ends takes with it what it has started.
func TestReapEndsTheGroup(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := NewStarter()
	defer s.Close()
	p, out := run(t, s, "sleep 1000 & exit 7")
	p.Reap()
	if _, err := out.Read(make([]byte, 1)); err == nil { // it ends when nobody holds it open
		t.Error("the shell wrote something")
	}
	if p.Cause() != nil || !p.Reaped() || p.State().ExitCode() != 7 {
		t.Errorf("%v, %v", p.Cause(), p.State())
	}
	p.Kill(errors.New("too late")) // of somebody else's group, if it did anything
	if p.Cause() != nil {
		t.Errorf("killed after its end: %v", p.Cause())
	}
}

func TestKill(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := NewStarter()
	defer s.Close()
	p, out := run(t, s, "trap '' TERM; sleep 1000 & echo up; wait")
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		t.Fatal(line, err)
	}
	if group, err := syscall.Getpgid(p.PID()); group != p.PID() {
		t.Errorf("its group is %d: %v", group, err)
	}
	first := errors.New("first")
	p.Kill(first)
	p.Kill(errors.New("second"))
	p.Reap()
	if p.Cause() != first || p.State().String() != "signal: killed" {
		t.Errorf("%v, %v", p.Cause(), p.State())
	}
}

func TestStarter(t *testing.T) {
	asgitest.CheckLeaks(t)
	s := NewStarter()
	if _, err := s.Start(exec.Command("/nothing/of/this/name")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	s.Close()
	if _, err := s.Start(exec.Command("/bin/true")); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestEnviron(t *testing.T) {
	got := Environ([]string{"A=1", "LISTEN_FDS=2", "NOTIFY_SOCKET=/run/x", "B=", "C=3", "WATCHDOG_USEC=1"}, "C")
	if want := []string{"A=1", "B="}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	t.Setenv("LISTEN_PID", "1")
	if got := Environ(nil); len(got) != len(os.Environ())-1 {
		t.Errorf("%d variables of %d", len(got), len(os.Environ()))
	}
}

func TestPause(t *testing.T) {
	const least, most = 100 * time.Millisecond, time.Second
	for failures, want := range map[int]time.Duration{-1: 0, 0: 0, 1: least, 2: 2 * least, 4: 8 * least, 5: most, 1 << 40: most} {
		if got := Pause(failures, least, most); got != want {
			t.Errorf("after %d: %v, want %v", failures, got, want)
		}
	}
}
