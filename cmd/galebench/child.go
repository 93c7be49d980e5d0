package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/cmd/galebench/contender"
)

// child is a process of this program that serves, or is a load beside another one.
//
// Not safe for concurrent use.
type child struct {
	cmd     *exec.Cmd
	pids    []int // the processes that serve, or are the load: its own, or those it has started
	addr    netip.AddrPort
	stdin   *os.File
	stdout  *os.File
	replies *bufio.Reader
}

// patience bounds the wait for an answer of a child. Collecting the garbage of
// many conns takes it some seconds.
const patience = 60 * time.Second

// startChild starts this program again as a server. The caller stops it, from
// the same goroutine.
func startChild(name string, p placement, flags ...string) (*child, error) {
	args := append([]string{"server", "--loops", strconv.Itoa(p.procs), "--room=" + strconv.FormatBool(p.room)}, flags...)
	c, line, err := spawn(p.server, p.procs, append(args, name)...)
	if err != nil {
		return nil, fmt.Errorf("no address of the server: %w", err)
	}
	if c.addr, err = netip.ParseAddrPort(line); err != nil {
		c.stop()
		return nil, fmt.Errorf("no address of the server: %w", err)
	}
	a, err := c.ask("processes")
	if err != nil {
		c.stop()
		return nil, err
	}
	c.pids = a.PIDs
	return c, nil
}

// spawn starts this program again, on the given cores, and returns the first line
// it says. The caller stops the child, from the same goroutine. It ends too when this
// process does: by the signal, which follows the thread it was started from, and by
// the end of its input.
func spawn(cores *unix.CPUSet, procs int, args ...string) (c *child, line string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	stdin, theirStdout, stdout, theirStdin, err := pipes()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirStdin, theirStdout, os.Stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c = &child{cmd: cmd, stdin: stdin, stdout: stdout, replies: bufio.NewReader(stdout)}
	runtime.LockOSThread()
	err = startOn(cores, cmd)
	_ = theirStdin.Close()
	_ = theirStdout.Close() // so that its output ends with the child
	if err == nil {
		line, err = c.line()
	}
	if err != nil {
		c.stop()
		return nil, "", err
	}
	return c, strings.TrimSpace(line), nil
}

// pipes makes a pipe for each direction.
func pipes() (stdin, theirStdout, stdout, theirStdin *os.File, err error) {
	if theirStdin, stdin, err = os.Pipe(); err != nil {
		return
	}
	stdout, theirStdout, err = os.Pipe()
	return
}

// startOn starts cmd on the given cores: it inherits those of this thread.
func startOn(cores *unix.CPUSet, cmd *exec.Cmd) error {
	if cores == nil {
		return cmd.Start()
	}
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, cores); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &own))
}

// stop kills the child and waits for its end.
func (c *child) stop() {
	if c.cmd.Process != nil {
		_ = c.cmd.Process.Kill()
		for _, pid := range c.pids { // those of a server may outlive the one that has started them
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		_ = c.cmd.Wait()
	}
	_ = c.stdin.Close()
	_ = c.stdout.Close()
	runtime.UnlockOSThread()
}

func (c *child) line() (string, error) {
	if err := c.stdout.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	return c.replies.ReadString('\n')
}

// ask gives a command and waits for the answer.
func (c *child) ask(command string) (answer, error) {
	var a answer
	if _, err := fmt.Fprintln(c.stdin, command); err != nil {
		return a, err
	}
	line, err := c.line()
	if err != nil {
		return a, fmt.Errorf("the server does not answer %q: %w", command, err)
	}
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return a, err
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", command, a.Error)
	}
	return a, nil
}

// cpu is the time all threads of a process have run.
type cpu struct{ total, user time.Duration }

func (c cpu) since(earlier cpu) cpu { return cpu{c.total - earlier.total, c.user - earlier.user} }

// cpu reads the CPU clocks of what serves, exact to the nanosecond, and what of it
// was spent outside the kernel, of which the kernel has only a sampled idea.
func (c *child) cpu() (sum cpu, err error) {
	for _, pid := range c.pids {
		var t unix.Timespec
		if err := unix.ClockGettime(cpuClock(pid), &t); err != nil {
			return cpu{}, os.NewSyscallError("clock_gettime", err)
		}
		user, err := userTime(pid)
		if err != nil {
			return cpu{}, err
		}
		sum.total += time.Duration(t.Nano())
		sum.user += user
	}
	return sum, nil
}

// reaped reads the CPU time of the children that what serves has waited for, in ticks
// of 10 ms: see userTime.
func (c *child) reaped() (sum time.Duration, err error) {
	for _, pid := range c.pids {
		user, err := statTime(pid, 16)
		if err != nil {
			return 0, err
		}
		system, err := statTime(pid, 17)
		if err != nil {
			return 0, err
		}
		sum += user + system
	}
	return sum, nil
}

// cpuClock is what clock_getcpuclockid(3) returns: the clock of the CPU time of
// the process's threads.
func cpuClock(pid int) int32 {
	const cpuClockSched = 2
	return ^int32(pid)<<3 | cpuClockSched
}

// userTime reads utime of /proc/PID/stat.
func userTime(pid int) (time.Duration, error) { return statTime(pid, 14) }

// statTime reads a field of /proc/PID/stat, which is in ticks of 10 ms on every
// architecture Go runs on; the fields are counted from behind the name, which
// may contain anything. See proc_pid_stat(5).
func statTime(pid, field int) (time.Duration, error) {
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	const afterName, tick = 3, 10 * time.Millisecond
	fields := strings.Fields(string(p[strings.LastIndexByte(string(p), ')')+1:]))
	if len(fields) <= field-afterName {
		return 0, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	ticks, err := strconv.ParseInt(fields[field-afterName], 10, 64)
	return time.Duration(ticks) * tick, err
}

// rss returns the bytes of memory that are in RAM, of what serves.
func (c *child) rss() (sum int64, err error) {
	for _, pid := range c.pids {
		n, err := procField(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Rss")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// share returns the bytes of memory of what serves and of all that it has started, each
// page divided among the processes that have it.
func (c *child) share() (sum int64, err error) {
	for _, pid := range c.pids {
		for _, pid := range contender.Tree(pid) {
			n, err := procField(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
				continue // it has ended meanwhile
			}
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// makePipe makes a named pipe.
func makePipe(path string) error { return unix.Mkfifo(path, 0o600) }

// resetPeak begins anew what peak returns. Where the kernel cannot do that, it goes
// on from the start of the process. See clear_refs in proc_pid_clear_refs(5).
func (c *child) resetPeak() {
	for _, pid := range c.pids {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
}

// peak returns the most bytes of memory that were in RAM since resetPeak, of what
// serves.
func (c *child) peak() (sum int64, err error) {
	for _, pid := range c.pids {
		n, err := procField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
