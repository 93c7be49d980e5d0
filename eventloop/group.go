package eventloop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/descriptors"
	"github.com/gale-server/gale/eventloop/procs"
)

// maxRefusing bounds how many conns above Config.MaxConns are being told so at
// the same time; a further one is closed at once. They live in the reserve of
// descriptors, and have half of it at most.
const maxRefusing = 64

// Group is a set of event loops and the listeners that feed them.
//
//	New -> Listen, AddListener -> Start -> StopAccepting -> Shutdown
//
// The loops run from New on, so that applications can be started on them
// between Listen and Start.
//
// Safe for concurrent use.
type Group struct {
	config   Config
	table    table
	loops    []*Loop
	acceptor *acceptor
	watchdog *watchdog

	cap *descriptors.Cap // of conns that are not being refused

	open     atomic.Int64 // conns, not counting those that are being refused
	refusing atomic.Int64
	accepted atomic.Uint64
	refusals atomic.Uint64

	stopped  sync.Once
	stopping error // what Shutdown returned
}

// Stats are figures of a group at one instant.
//
// Not safe for concurrent use.
type Stats struct {
	Conns    int           // open conns, closing ones included
	Accepted uint64        // conns accepted so far
	Refused  uint64        // conns refused so far for Config.MaxConns
	Pauses   uint64        // times that accepting paused for want of descriptors or memory
	Blocked  uint64        // turns that held a loop longer than Config.BlockedAfter
	MaxLag   time.Duration // the longest turn seen, sampled every quarter of Config.BlockedAfter
}

// New starts the loops. Shutdown stops them.
func New(config Config) (*Group, error) {
	derived := config.MaxConns == 0
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Group{config: config, cap: descriptors.NewCap(config.MaxConns, derived)}
	kernels := make([]*pollerKernel, config.Loops+1)
	for i := range kernels {
		if kernels[i], err = openKernel(); err != nil {
			for _, k := range kernels[:i] {
				k.close()
			}
			return nil, err
		}
	}
	procs.Raise(len(kernels))
	g.acceptor = newAcceptor(g, kernels[config.Loops])
	for i := range config.Loops {
		l := newLoop(i, g, &g.config, kernels[i], &g.table)
		g.loops = append(g.loops, l)
		go g.serve(l, kernels[i]) // Shutdown stops it, and waits for stopped
	}
	g.watchdog = startWatchdog(g.loops, config.BlockedAfter, config.Logger)
	return g, nil
}

// serve runs one loop, until it is stopped or a callback ends its goroutine;
// then another goes on.
func (g *Group) serve(l *Loop, k *pollerKernel) {
	defer func() {
		if l.exited {
			go g.serve(l, k) // as before
		}
	}()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(loopLabel, strconv.Itoa(l.index))))
	l.Adopt()
	if l.exited {
		l.resume()
	}
	if !l.stopping {
		if err := k.run(l); err != nil {
			g.config.Logger.Error("event loop died", "loop", l.index, "error", err)
		}
	}
	l.halt()
	k.close()
	close(l.stopped)
}

// halt makes an end of everything that is left on a loop.
func (l *Loop) halt() {
	l.stopping = true
	l.mailbox.close()
	l.beginTurn()
	for t, ok := l.mailbox.next(); ok; t, ok = l.mailbox.next() {
		l.run(t)
	}
	for _, s := range l.door {
		if s.phase == arrived { // it holds a descriptor, and its application hears of its end
			s.open()
		}
	}
	l.table.each(l, func(s *socket) { s.end(ErrShutdown) })
	for len(l.dying) > 0 {
		l.reap(math.MaxInt)
	}
	l.endTurn()
	l.signalEmpty()
}

// Listen opens a listening socket ("tcp", "tcp4", "tcp6" or "unix") and returns
// the address it got. Nothing is accepted before Start. A port in use is
// syscall.EADDRINUSE, as is a Unix socket that somebody listens on; the socket
// file of a process that is gone is replaced.
func (g *Group) Listen(network, address string) (Addr, error) {
	return g.AddListener(ListenConfig{Network: network, Address: address})
}

// AddListener is Listen with everything that can be said.
func (g *Group) AddListener(config ListenConfig) (Addr, error) {
	if config.Open == nil {
		config.Open = g.config.Open
	}
	if config.Open == nil {
		return Addr{}, errors.New("eventloop: neither Config nor ListenConfig has an Open")
	}
	l, err := config.listen()
	if err != nil {
		return Addr{}, err
	}
	if !g.cap.Fit(g.taken()) {
		l.close()
		return Addr{}, fmt.Errorf("eventloop: listen: the limit of open files leaves no room for connections: %w", unix.EMFILE)
	}
	if err := g.acceptor.add(l); err != nil {
		l.close()
		return Addr{}, err
	}
	return l.addr, nil
}

// Addrs are the addresses listened on, in the order of their addition.
func (g *Group) Addrs() []Addr {
	var addrs []Addr
	for _, l := range g.acceptor.all() {
		addrs = append(addrs, l.addr)
	}
	return addrs
}

// ListenerFiles returns a duplicate of every listening socket in the order of
// Addrs, to be passed to a successor (see [Inherited]). The caller closes them.
// After StopAccepting there are none.
func (g *Group) ListenerFiles() ([]*os.File, error) { return g.acceptor.files() }

// Start begins to accept.
func (g *Group) Start() {
	g.cap.Fit(g.taken())
	g.acceptor.start()
}

// taken is the number of descriptors that conns have.
func (g *Group) taken() int { return int(g.open.Load() + g.refusing.Load()) }

// StopAccepting closes the listeners and removes the Unix socket files the
// group made. Conns go on. It returns when the last conn has been handed to its
// loop. Idempotent.
func (g *Group) StopAccepting() { g.acceptor.stop() }

// Shutdown stops accepting, closes every conn as [Conn.Close] does, stops the
// loops and waits for them. When ctx is done first, the rest of the conns is
// aborted with [ErrShutdown] and the error of ctx is returned. A loop that code of
// the application holds is left behind, with a [HeldError]; it stops by itself if
// that code returns. Shutdown must not be called on a loop. A second call waits for the first and returns the same.
func (g *Group) Shutdown(ctx context.Context) error {
	g.stopped.Do(func() { g.stopping = g.shutdown(ctx) })
	return g.stopping
}

func (g *Group) shutdown(ctx context.Context) error {
	g.StopAccepting()
	for _, l := range g.loops {
		l.mailbox.force(task{fn: l.drain})
	}
	var err error
	for _, l := range g.loops {
		select {
		case <-l.empty:
		case <-ctx.Done():
			if l.conns.Load() > 0 {
				err = ctx.Err()
			}
		}
	}
	for _, l := range g.loops {
		l.mailbox.force(task{fn: func() { l.stopping = true }})
	}
	for _, l := range g.loops {
		if held := l.Await(l.stopped); held != nil {
			err = errors.Join(err, held)
		}
	}
	g.watchdog.halt()
	procs.Raise(-len(g.loops) - 1)
	return err
}

// drain closes every conn of the loop.
func (l *Loop) drain() {
	l.draining = true
	l.table.each(l, func(s *socket) { s.Close() })
}

// signalEmpty tells Shutdown that no conn is left.
func (l *Loop) signalEmpty() {
	select {
	case <-l.empty:
	default:
		close(l.empty)
	}
}

// Loops is the number of loops.
func (g *Group) Loops() int { return len(g.loops) }

// Loop is the loop with this index, from zero to Loops()-1.
func (g *Group) Loop(index int) *Loop { return g.loops[index] }

// Conns is the number of open conns, closing ones included.
func (g *Group) Conns() int { return int(g.open.Load()) }

// Stats returns the figures of now.
func (g *Group) Stats() Stats {
	return Stats{
		Conns:    g.Conns(),
		Accepted: g.accepted.Load(),
		Refused:  g.refusals.Load(),
		Pauses:   g.acceptor.pauses.Load(),
		Blocked:  g.watchdog.blocked.Load(),
		MaxLag:   time.Duration(g.watchdog.maxLag.Load()),
	}
}

// handOver gives an accepted descriptor to a loop. Called by the acceptor only.
func (g *Group) handOver(fd int, from *listener, remote netip.AddrPort) {
	full := !g.cap.Allows(g.Conns()+1, int(g.refusing.Load()), g.acceptor.kernel.Now())
	if !full {
		g.open.Add(1) // before it counts as accepted: who finds none open then knows that all are gone
	}
	l := g.leastLoaded(int(g.accepted.Add(1)))
	s := newSocket(l, fd, from, remote)
	if full {
		g.refusals.Add(1)
		if len(g.config.Refusal) == 0 || g.refusing.Load() >= int64(min(maxRefusing, descriptors.Reserve()/2)) {
			_, _ = unix.Write(fd, g.config.Refusal)
			_ = unix.Close(fd)
			return
		}
		g.refusing.Add(1)
		s.set(refused)
	}
	l.conns.Add(1)
	if !l.mailbox.force(task{conn: s}) {
		_ = unix.Close(fd)
		l.conns.Add(-1)
		g.left(s)
	}
}

// leastLoaded is the loop with the fewest conns; among equals, turn decides.
func (g *Group) leastLoaded(turn int) *Loop {
	var best *Loop
	for i := range g.loops {
		l := g.loops[(turn+i)%len(g.loops)]
		if best == nil || l.conns.Load() < best.conns.Load() {
			best = l
		}
	}
	return best
}

// left follows the end of a conn, whose descriptor is free again.
func (g *Group) left(s *socket) {
	if g == nil { // a simulated loop has none
		return
	}
	if s.listener.attached {
		// It was never counted.
	} else if s.has(refused) {
		g.refusing.Add(-1)
	} else {
		g.open.Add(-1)
	}
	g.acceptor.descriptorFreed()
}
