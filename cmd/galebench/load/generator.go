package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Config says what to load.
type Config struct {
	// Server is where to connect to, an IPv4 address of the loopback. Required.
	Server netip.AddrPort

	// Dialogue is what is said. Required; not shared with another generator.
	Dialogue Dialogue

	// Conns is the number of connections. Default: 1.
	Conns int

	// Depth is the number of messages in a batch: 1 is request-response. Default: 1.
	Depth int

	// Interval is the period in which each conn begins a batch, the conns spread
	// evenly over it. A latency counts from when the batch was due, whether or
	// not the one before had its replies by then, so that a server that stalls is
	// not spared. Default: 0, a batch is begun as soon as the one before is done.
	Interval time.Duration
}

// Generator is an open set of conns.
//
// Not safe for concurrent use.
type Generator struct {
	cfg     Config
	conns   []*conn
	message []byte // a batch of one
	batch   []byte
	source  int    // of the source addresses
	clock   *clock // what begins batches; nil without an Interval

	epoll    int // -1 before the first Run
	events   []unix.EpollEvent
	buf      []byte
	epoch    time.Time
	messages int64
	latency  Histogram
}

const (
	maxSources    = 200
	eventsPerWait = 256
	readBytes     = 256 << 10
)

// Open opens the conns and has one exchange on each. What is opened when it
// fails is closed again.
func Open(cfg Config) (*Generator, error) {
	cfg.Conns, cfg.Depth = max(cfg.Conns, 1), max(cfg.Depth, 1)
	g := &Generator{
		cfg: cfg, epoll: -1, epoch: time.Now(),
		message: cfg.Dialogue.batch(1), batch: cfg.Dialogue.batch(cfg.Depth),
	}
	for i := range cfg.Conns {
		if err := g.open(); err != nil {
			g.Close()
			return nil, fmt.Errorf("conn %d of %d: %w", i+1, cfg.Conns, err)
		}
	}
	return g, nil
}

func (g *Generator) open() error {
	c, err := dial(g.cfg.Server, g.source)
	for err == errPorts && g.source < maxSources {
		g.source++
		c, err = dial(g.cfg.Server, g.source)
	}
	if err != nil {
		return err
	}
	g.conns = append(g.conns, c)
	if err := g.cfg.Dialogue.greet(c); err != nil {
		return err
	}
	c.replies = g.cfg.Dialogue.newReader()
	return c.exchange(g.message)
}

// Close resets all conns.
func (g *Generator) Close() {
	for _, c := range g.conns {
		c.close()
	}
	g.conns = nil
	if g.clock != nil {
		g.clock.close()
		g.clock = nil
	}
	if g.epoll >= 0 {
		_ = unix.Close(g.epoll)
		g.epoll = -1
	}
}

// Check has one more exchange on every nth conn, to see that they are alive.
// It must not be called after Run.
func (g *Generator) Check(n int) error {
	for i := 0; i < len(g.conns); i += n {
		if err := g.conns[i].exchange(g.message); err != nil {
			return fmt.Errorf("conn %d of %d: %w", i+1, len(g.conns), err)
		}
	}
	return nil
}

// Result is what happened during a Run.
type Result struct {
	Messages int64 // replies received whole
	Elapsed  time.Duration
	Latency  *Histogram // from the begin of a batch to its last reply; valid until the next Run
}

// Run keeps all conns busy for d, and on until there was a reply, at most
// [Patience] longer. What is under way when it returns goes on in the next Run,
// and counts there.
func (g *Generator) Run(d time.Duration) (Result, error) {
	began := time.Now()
	g.messages = 0
	g.latency.Reset()
	if g.epoll < 0 {
		if err := g.start(); err != nil {
			return Result{}, err
		}
	} else if g.clock != nil {
		g.skip()
	}
	if g.clock != nil {
		defer func() { g.clock.stopped = time.Since(g.epoch) }()
	}
	for {
		elapsed := time.Since(began)
		left := d - elapsed
		if g.messages == 0 {
			left += Patience
		}
		if left <= 0 {
			return Result{Messages: g.messages, Elapsed: elapsed, Latency: &g.latency}, nil
		}
		n, err := unix.EpollWait(g.epoll, g.events, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return Result{}, os.NewSyscallError("epoll_wait", err)
		}
		for _, ev := range g.events[:max(n, 0)] {
			if int(ev.Fd) == len(g.conns) {
				if err := g.tick(); err != nil {
					return Result{}, err
				}
				continue
			}
			c := g.conns[ev.Fd]
			if err := c.converse(g.buf, ev.Events, func(p []byte) ([]byte, error) { return nil, g.received(c, p) }); err != nil {
				return Result{}, err
			}
		}
	}
}

// start hands the conns to epoll, edge-triggered and once, and begins a batch
// on each. From here on they do not block.
func (g *Generator) start() error {
	var err error
	if g.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		g.epoll = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	g.events = make([]unix.EpollEvent, eventsPerWait)
	g.buf = make([]byte, readBytes)
	for i, c := range g.conns {
		if err := c.watch(g.epoll, i); err != nil {
			return err
		}
		if g.cfg.Interval > 0 {
			continue
		}
		if err := g.begin(c, time.Since(g.epoch)); err != nil {
			return err
		}
	}
	if g.cfg.Interval > 0 {
		return g.startClock()
	}
	return nil
}

// begin begins a batch that was due at the given time.
func (g *Generator) begin(c *conn, due time.Duration) error {
	c.began, c.due, c.unsent = due, g.cfg.Depth, g.batch
	return c.flush()
}

var errTooMany = errors.New("load: more replies than messages")

func (g *Generator) received(c *conn, p []byte) error {
	messages, err := c.replies.read(p)
	if err != nil {
		return err
	}
	if messages > c.due {
		return errTooMany
	}
	g.messages += int64(messages)
	c.due -= messages
	if c.due > 0 {
		return nil
	}
	now := time.Since(g.epoch)
	g.latency.Record(now - c.began)
	if g.cfg.Interval > 0 {
		return g.beginDue(c, now)
	}
	return g.begin(c, now)
}
