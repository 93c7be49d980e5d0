package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clock wakes the generator each time a conn's batch is due. The conns are due
// one after the other, round and round, so that the next one is always known.
type clock struct {
	fd      int
	next    int           // the conn that is due next
	stopped time.Duration // when the last Run returned
}

func (k *clock) close() { _ = unix.Close(k.fd) }

// startClock makes every conn due once within the next interval, and then
// periodically.
func (g *Generator) startClock() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	g.clock = &clock{fd: fd}
	step := max(g.cfg.Interval/time.Duration(len(g.conns)), time.Nanosecond)
	now := time.Since(g.epoch)
	for i, c := range g.conns {
		c.next = now + time.Duration(i+1)*step
	}
	period := unix.NsecToTimespec(int64(step))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: period, Value: period}, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(g.conns))}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// tick begins every batch that is due on a conn that is free. One that is not
// begins its batch as soon as it is.
func (g *Generator) tick() error {
	var expirations [8]byte
	_, _ = unix.Read(g.clock.fd, expirations[:]) // how many there were, the time tells
	now := time.Since(g.epoch)
	for range g.conns {
		c := g.conns[g.clock.next]
		if c.next > now {
			return nil
		}
		if c.due == 0 {
			if err := g.beginDue(c, now); err != nil {
				return err
			}
		}
		g.clock.next = (g.clock.next + 1) % len(g.conns)
	}
	return nil
}

// skip leaves out what was due since the generator was last run.
func (g *Generator) skip() {
	now := time.Since(g.epoch)
	for _, c := range g.conns {
		if c.due > 0 {
			c.began += now - g.clock.stopped
		}
		for c.next <= now {
			c.next += g.cfg.Interval
		}
	}
	for i, c := range g.conns {
		if c.next < g.conns[g.clock.next].next {
			g.clock.next = i
		}
	}
}

// beginDue begins the next batch of c if its time has come.
func (g *Generator) beginDue(c *conn, now time.Duration) error {
	if c.next > now {
		return nil
	}
	due := c.next
	c.next += g.cfg.Interval
	return g.begin(c, due)
}
