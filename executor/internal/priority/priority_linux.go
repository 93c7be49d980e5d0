package priority

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// slice is the shortest there is. Longer ones than this are used up undisturbed,
// shorter ones cost more switches between threads of low priority only.
const slice = 100 * time.Microsecond

// Lower gives a thread the nice value, 1 to 19, and the slice; 0 is the calling
// thread. On Linux that concerns the thread alone (setpriority(2), "C
// library/kernel differences"). It needs no privilege, but taking it back does. A
// kernel without such slices ignores the latter.
func Lower(thread, nice int) error {
	attr := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Flags: unix.SCHED_FLAG_KEEP_POLICY,
		Nice: int32(nice), Runtime: uint64(slice),
	}
	if unix.SchedSetAttr(thread, &attr, 0) == nil {
		return nil
	}
	return os.NewSyscallError("setpriority", unix.Setpriority(unix.PRIO_PROCESS, thread, nice))
}

// LowerProcess lowers every thread of a process; those it makes later follow the
// ones that make them.
func LowerProcess(pid, nice int) error {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return unix.ESRCH
	}
	var errs []error
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err == nil {
			err = Lower(id, nice)
		}
		if !errors.Is(err, unix.ESRCH) { // else it has ended since
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
