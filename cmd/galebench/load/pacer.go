package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pacer says when something is due, and wakes an epoll instance then.
type pacer struct {
	fd      int // of a timer
	period  time.Duration
	next    time.Duration // when something is due
	stopped time.Duration // when the last Run returned
}

// startPacer makes a pacer whose events have the given number, and whose times
// count from epoch.
func startPacer(period time.Duration, epoll, number int, epoch time.Time) (*pacer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	p := &pacer{fd: fd, period: period, next: time.Since(epoch) + period} // the timer comes no earlier
	every := unix.NsecToTimespec(int64(period))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		p.close()
		return nil, os.NewSyscallError("timerfd_settime", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		p.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return p, nil
}

func (p *pacer) close() { _ = unix.Close(p.fd) }

// tick follows an event. How many there were, the time tells.
func (p *pacer) tick() {
	var expirations [8]byte
	_, _ = unix.Read(p.fd, expirations[:])
}

// due reports whether something is due, and since when. It takes it.
func (p *pacer) due(now time.Duration) (since time.Duration, ok bool) {
	if p.next > now {
		return 0, false
	}
	since = p.next
	p.next += p.period
	return since, true
}

// skip leaves out what is due by now.
func (p *pacer) skip(now time.Duration) {
	for p.next <= now {
		p.next += p.period
	}
}
