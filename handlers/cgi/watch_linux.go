package cgi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watch waits for what a process writes and for its end. Its descriptors, and one of
// the process itself, are in an epoll instance, and that is watched by Go's own: so who
// waits holds no thread, and needs no more than one goroutine.
type watch struct {
	*epoll
	from      *epolls
	pidfd     int  // readable once the process has ended
	listening bool // what is written is in epoll, too
}

// epoll is an epoll instance that Go watches.
type epoll struct {
	file     *os.File
	raw      syscall.RawConn
	deadline time.Time // of file
}

// epolls are those that no process uses, kept since making one takes seven system calls:
// at most as many as programs have run at once.
//
// Safe for concurrent use.
type epolls struct {
	mu   sync.Mutex
	free []*epoll
}

func (e *epolls) take() (*epoll, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.free) - 1; last >= 0 {
		one := e.free[last]
		e.free = e.free[:last]
		return one, nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // which tells os that it can be waited for
	one := &epoll{file: os.NewFile(uintptr(fd), "epoll")}
	if one.raw, err = one.file.SyscallConn(); err != nil {
		_ = one.file.Close()
	}
	return one, err
}

// put takes back one in which there is nothing.
func (e *epolls) put(one *epoll) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.free = append(e.free, one)
}

func (e *epolls) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.free {
		_ = one.file.Close()
	}
	e.free = nil
}

var errNoPidfd = errors.New("the kernel gives no descriptors of processes: Linux 5.4 is required")

// fork starts a program. With limits it is traced until they are set, which is before
// its first instruction: prlimit(2) after the start would let it run without them for a
// moment, in which it could fork.
func (p *process) fork(from *epolls, file string, attr *syscall.ProcAttr, limits Limits) error {
	one, err := from.take()
	if err != nil {
		return err
	}
	p.watch = watch{epoll: one, from: from, pidfd: -1}
	if err := p.forkWatched(file, attr, limits); err != nil {
		p.closeWatch()
		return err
	}
	return nil
}

func (p *process) forkWatched(file string, attr *syscall.ProcAttr, limits Limits) (err error) {
	w := &p.watch
	attr.Sys = &syscall.SysProcAttr{Setpgid: true, PidFD: &w.pidfd}
	if limits.given() {
		attr.Sys.Ptrace = true
		runtime.LockOSThread() // the tracer is a thread
		defer runtime.UnlockOSThread()
	}
	if p.pid, err = syscall.ForkExec(file, []string{file}, attr); err != nil {
		return err
	}
	if w.pidfd < 0 {
		err = errNoPidfd
	} else {
		err = w.add(w.pidfd, atExit)
	}
	if err == nil && limits.given() {
		err = limitTraced(p.pid, limits)
	}
	if err != nil {
		_ = unix.Kill(p.pid, unix.SIGKILL)
		wait4(p.pid)
	}
	return err
}

// What an event of the epoll instance is about.
const (
	atOutput = iota
	atErrors
	atExit
)

// listen adds what is written to the epoll instance.
func (p *process) listen() error {
	if p.watch.listening {
		return nil
	}
	p.watch.listening = true
	for what, fd := range [...]int{atOutput: p.stdout, atErrors: p.stderr} {
		if fd >= 0 {
			if err := p.watch.add(fd, what); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *watch) add(fd, what int) error {
	return w.control(unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(what)})
}

// forget is called before a descriptor is closed: what is forked at the same moment may
// hold it open for a moment.
func (w *watch) forget(fd int) {
	if w.listening || fd == w.pidfd {
		_ = w.control(unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (w *watch) control(op, fd int, ev *unix.EpollEvent) error {
	var failed error
	err := w.raw.Control(func(epoll uintptr) { failed = unix.EpollCtl(int(epoll), op, fd, ev) })
	if err == nil && failed != nil {
		err = os.NewSyscallError("epoll_ctl", failed)
	}
	return err
}

// wait blocks until there is something to read, or the process has ended, or until
// the deadline; a zero one is none. That it has ended it tells once.
func (p *process) wait(deadline time.Time) (ready, error) {
	if p.exited && !p.watch.listening { // commonly all is there
		if r := p.glance(); r.any() || p.stdout < 0 && p.stderr < 0 {
			return r, nil
		}
	}
	if err := p.listen(); err != nil {
		return ready{}, err
	}
	return p.await(deadline)
}

// waitEnd waits only for the end of the process.
func (p *process) waitEnd(deadline time.Time) error {
	_, err := p.await(deadline)
	return err
}

// glance says what there is to read, without waiting. What nobody writes to any more
// has nothing behind that, and is closed if it has nothing at all.
func (p *process) glance() ready {
	fds := [...]unix.PollFd{ // those of -1 are ignored
		{Fd: int32(p.stdout), Events: unix.POLLIN},
		{Fd: int32(p.stderr), Events: unix.POLLIN},
	}
	if _, err := unix.Poll(fds[:], 0); err != nil {
		return ready{}
	}
	out, errs := fds[0].Revents, fds[1].Revents
	p.complete = out&unix.POLLHUP != 0 && errs&unix.POLLHUP != 0
	if out == unix.POLLHUP {
		p.closeRead(&p.stdout)
	}
	if errs == unix.POLLHUP {
		p.closeRead(&p.stderr)
	}
	return ready{stdout: out&unix.POLLIN != 0, stderr: errs&unix.POLLIN != 0}
}

// await blocks until there is an event, or until the deadline.
func (p *process) await(deadline time.Time) (ready, error) {
	w := &p.watch
	if deadline != w.epoll.deadline {
		if err := w.file.SetReadDeadline(deadline); err != nil {
			return ready{}, fmt.Errorf("set a deadline: %w", err)
		}
		w.epoll.deadline = deadline
	}
	var r ready
	var failed error
	err := w.raw.Read(func(epoll uintptr) bool {
		r, failed = w.look(int(epoll))
		return failed != nil || r.any()
	})
	if errors.Is(err, os.ErrDeadlineExceeded) { // without a look if it has passed
		err = w.raw.Control(func(epoll uintptr) { r, failed = w.look(int(epoll)) })
	}
	if err == nil {
		err = failed
	}
	if r.exited {
		p.exited = true
		w.forget(w.pidfd)
	}
	return r, err
}

// look says what is there now.
func (w *watch) look(epoll int) (r ready, err error) {
	var events [3]unix.EpollEvent
	n, err := unix.EpollWait(epoll, events[:], 0)
	if err == unix.EINTR {
		n, err = 0, nil
	}
	if err != nil {
		return r, os.NewSyscallError("epoll_wait", err)
	}
	for _, ev := range events[:n] {
		switch ev.Fd {
		case atOutput:
			r.stdout = true
		case atErrors:
			r.stderr = true
		case atExit:
			r.exited = true
		}
	}
	return r, nil
}

// closeWatch closes what the watch has opened.
func (p *process) closeWatch() {
	w := &p.watch
	if w.pidfd >= 0 {
		_ = unix.Close(w.pidfd)
	}
	if p.exited { // and so all is taken out
		w.from.put(w.epoll)
	} else {
		_ = w.file.Close() // something may be left in it
	}
}
