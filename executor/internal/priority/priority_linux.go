package priority

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The slices that threads ask for. One that wakes preempts another at once if its own
// is shorter, and else only by the clock's tick, which may take 4 ms.
const (
	shortest = 100 * time.Microsecond // the kernel's least
	long     = time.Millisecond
)

// Lower gives a thread the nice value, 1 to 19, and a long slice; 0 is the calling
// thread. On Linux that concerns the thread alone (setpriority(2), "C
// library/kernel differences"). It needs no privilege, but taking it back does. All
// other threads of this process get a short slice when the first is lowered. A kernel
// without such slices ignores them.
func Lower(thread, nice int) error {
	shortenOthers()
	if ask(thread, nice, long) == nil {
		return nil
	}
	return os.NewSyscallError("setpriority", unix.Setpriority(unix.PRIO_PROCESS, thread, nice))
}

// ask gives a thread a nice value and a slice.
func ask(thread, nice int, slice time.Duration) error {
	return unix.SchedSetAttr(thread, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Flags: unix.SCHED_FLAG_KEEP_POLICY,
		Nice: int32(nice), Runtime: uint64(slice),
	}, 0)
}

// shortenOthers gives all threads of this process a short slice, once: those to come
// inherit it. It is a hint, and failing to give it is no error.
var shortenOthers = sync.OnceFunc(func() {
	_ = eachThread(os.Getpid(), func(thread int) error {
		if attr, err := unix.SchedGetAttr(thread, 0); err == nil && attr.Policy == unix.SCHED_NORMAL {
			_ = ask(thread, int(attr.Nice), shortest)
		}
		return nil
	})
})

// LowerProcess lowers every thread of a process; those it makes later follow the
// ones that make them.
func LowerProcess(pid, nice int) error {
	return eachThread(pid, func(thread int) error { return Lower(thread, nice) })
}

// eachThread calls do for every thread of a process. That one has ended since is no
// error.
func eachThread(pid int, do func(thread int) error) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return unix.ESRCH
	}
	var errs []error
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err == nil {
			err = do(id)
		}
		if !errors.Is(err, unix.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
