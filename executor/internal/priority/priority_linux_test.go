package priority

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func attrOf(t *testing.T, thread int) *unix.SchedAttr {
	t.Helper()
	a, err := unix.SchedGetAttr(thread, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func check(t *testing.T, thread int) {
	t.Helper()
	a := attrOf(t, thread)
	if a.Nice != 19 || a.Policy != unix.SCHED_NORMAL {
		t.Errorf("nice %d, policy %d", a.Nice, a.Policy)
	}
	checkSlice(t, a, long)
}

func checkSlice(t *testing.T, a *unix.SchedAttr, want time.Duration) {
	t.Helper()
	switch time.Duration(a.Runtime) {
	case want:
	case 0:
		t.Log("this kernel knows no slices of threads")
	default:
		t.Errorf("the slice is %v, not %v", time.Duration(a.Runtime), want)
	}
}

func TestLower(t *testing.T) {
	before := attrOf(t, os.Getpid())
	shortenOthers() // as Lower does; but the runtime may choose the first thread below
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() {
			t.Log("the runtime chose the first thread, which cannot end")
			return
		}
		if err := Lower(0, 19); err != nil {
			t.Error(err)
		}
		check(t, 0)
	}()
	<-done
	after := attrOf(t, os.Getpid())
	checkSlice(t, after, shortest)
	if after.Nice != before.Nice || after.Policy != before.Policy {
		t.Errorf("another thread was %+v and is %+v", before, after)
	}
}

func TestLowerProcess(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("cat: %v", err)
	}
	defer func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if err := LowerProcess(cmd.Process.Pid, 19); err != unix.ESRCH {
			t.Errorf("of a process that has ended: %v", err)
		}
	}()
	if err := LowerProcess(cmd.Process.Pid, 19); err != nil {
		t.Fatal(err)
	}
	check(t, cmd.Process.Pid)
}
