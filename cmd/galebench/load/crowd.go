package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// CrowdConfig says who is to hear what.
type CrowdConfig struct {
	// Server is where to connect to, an IPv4 address of the loopback. Required.
	Server netip.AddrPort

	// Medium is how publications travel. Required.
	Medium Medium

	// Subscribers is the number of those who listen, each on a connection of its
	// own, and in one of the Rooms, of which each has one at least. Default: 1 in 1.
	Subscribers int
	Rooms       int

	// InFlight is the number of publishers, each with a connection of its own.
	// Each publishes in one room after the other, and goes on as soon as all of
	// the room have heard it. Default: 1.
	InFlight int

	// Interval is the period in which something is published, in one room after
	// the other. A latency counts from when it was due, whether or not a publisher
	// was free to publish it then, so that a server that stalls is not spared.
	// Default: 0, each publisher publishes as soon as it is free.
	Interval time.Duration

	// Size is that of a publication in bytes, at least 32. Default: 125.
	Size int

	// Prefix is what the names of the rooms begin with, before a number. Default: r.
	Prefix string
}

// Crowd are subscribers and publishers. Every subscriber must hear everything
// that is published in its room, once, and in the same order as all others of the
// room; else [Crowd.Run] fails.
//
// Not safe for concurrent use.
type Crowd struct {
	cfg         CrowdConfig
	stamp       stamp
	rooms       []room
	subscribers []*subscriber
	publishers  []*publisher
	source      int // of the source addresses
	nextRoom    int

	epoll   int // -1 before the first Run
	events  []unix.EpollEvent
	buf     []byte
	epoch   time.Time
	pacer   *pacer // what makes publications due; nil without an Interval
	idle    []*publisher
	ending  bool          // nothing more is published
	heardAt time.Duration // when something was heard last

	deliveries, publications int64
	latency                  Histogram
}

// room is what all its subscribers are to hear.
type room struct {
	number      int
	subscribers int
	heard       int // publications that somebody has heard; each has its place in that order
}

type subscriber struct {
	conn     *conn
	receiver receiver
	room     *room
	heard    int
	now      time.Duration // of what is being read
	text     func(p []byte) error
}

// publisher has one publication under way, or none.
type publisher struct {
	conn     *conn
	talker   talker
	slot     int
	number   uint32 // of the publication
	room     *room
	place    int // of the publication in the room; -1 before somebody has heard it
	due      int // deliveries still to come
	answered bool
	began    time.Duration
}

// Medium is how publications travel.
//
// Safe for concurrent use: immutable.
type Medium interface {
	// subscribe subscribes to a room on a conn that blocks. What is published
	// after it has returned is heard.
	subscribe(c *conn, room string) (receiver, error)

	// publisher makes a publisher's of a conn that blocks.
	publisher(c *conn) (talker, error)

	// primes reports whether a room must have a message before somebody can
	// subscribe to it.
	primes() bool
}

// receiver takes the stream of a server, cut in any way. It calls text for each
// message, and returns what is to be sent upon it.
type receiver interface {
	read(p []byte, text func(p []byte) error) (say []byte, err error)
}

// talker is a receiver that can publish.
type talker interface {
	receiver
	publication(room string, text []byte) []byte
	answers() bool // text is called for each publication
}

func (c *Crowd) roomName(n int) string { return fmt.Sprint(c.cfg.Prefix, n) }

// OpenCrowd has everybody connect and subscribe. What is opened when it fails is
// closed again.
func OpenCrowd(cfg CrowdConfig) (*Crowd, error) {
	cfg.Subscribers, cfg.Rooms, cfg.InFlight = max(cfg.Subscribers, 1), max(cfg.Rooms, 1), max(cfg.InFlight, 1)
	if cfg.Size == 0 {
		cfg.Size = 125
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "r"
	}
	if cfg.Rooms > cfg.Subscribers {
		return nil, errors.New("load: a room without subscribers")
	}
	stamp, err := newStamp(cfg.Size)
	if err != nil {
		return nil, err
	}
	c := &Crowd{cfg: cfg, stamp: stamp, epoll: -1, epoch: time.Now(), rooms: make([]room, cfg.Rooms)}
	for i := range c.rooms {
		c.rooms[i].number = i
	}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Crowd) open() error {
	for i := range c.cfg.InFlight {
		p := &publisher{slot: i, answered: true}
		var err error
		if p.conn, err = c.dial(); err == nil {
			c.publishers = append(c.publishers, p)
			p.talker, err = c.cfg.Medium.publisher(p.conn)
		}
		if err != nil {
			return fmt.Errorf("publisher %d of %d: %w", i+1, c.cfg.InFlight, err)
		}
		c.idle = append(c.idle, p)
	}
	if c.cfg.Medium.primes() {
		for i := range c.rooms {
			if err := c.prime(i); err != nil {
				return err
			}
		}
	}
	for i := range c.cfg.Subscribers {
		s := &subscriber{room: &c.rooms[i%len(c.rooms)]}
		s.room.subscribers++
		deliver := s.deliver(c)
		s.text = func(p []byte) error { return c.stamp.scan(p, deliver) }
		var err error
		if s.conn, err = c.dial(); err == nil {
			c.subscribers = append(c.subscribers, s)
			s.receiver, err = c.cfg.Medium.subscribe(s.conn, c.roomName(s.room.number))
		}
		if err != nil {
			return fmt.Errorf("subscriber %d of %d: %w", i+1, c.cfg.Subscribers, err)
		}
	}
	if c.cfg.Medium.primes() {
		return c.prime(len(c.rooms)) // by its answer, all that was asked for is likely to be read
	}
	return nil
}

// prime publishes something that nobody waits for.
func (c *Crowd) prime(room int) error {
	p := c.publishers[0]
	answer, err := ask(p.conn, p.talker, p.talker.publication(c.roomName(room), []byte(`"first"`)))
	if err != nil {
		return fmt.Errorf("the first message of a room: %w, %.100q", err, answer)
	}
	return nil
}

// ask says something on a conn that blocks, and waits for the next message.
func ask(c *conn, r receiver, say []byte) (answer []byte, err error) {
	if err := c.send(say); err != nil {
		return nil, err
	}
	p := make([]byte, 16<<10)
	for answer == nil {
		n, err := c.readSome(p)
		if err != nil {
			return nil, err
		}
		say, err := r.read(p[:n], func(text []byte) error {
			answer = append([]byte{}, text...)
			return nil
		})
		if err == nil {
			err = c.send(say)
		}
		if err != nil {
			return answer, err
		}
	}
	return answer, nil
}

func (c *Crowd) dial() (*conn, error) {
	conn, err := dial(c.cfg.Server, c.source)
	for err == errPorts && c.source < maxSources {
		c.source++
		conn, err = dial(c.cfg.Server, c.source)
	}
	return conn, err
}

// Close resets all conns.
func (c *Crowd) Close() {
	for _, s := range c.subscribers {
		s.conn.close()
	}
	for _, p := range c.publishers {
		p.conn.close()
	}
	c.subscribers, c.publishers = nil, nil
	if c.pacer != nil {
		c.pacer.close()
		c.pacer = nil
	}
	if c.epoll >= 0 {
		_ = unix.Close(c.epoll)
		c.epoll = -1
	}
}

// Published is how many publications somebody has heard so far. After Finish, that
// is all of them.
func (c *Crowd) Published() (n int64) {
	for i := range c.rooms {
		n += int64(c.rooms[i].heard)
	}
	return n
}

// CrowdResult is what happened during a Run.
type CrowdResult struct {
	Deliveries   int64 // publications times those who heard them
	Publications int64 // that all have heard
	Elapsed      time.Duration
	Latency      *Histogram // from a publication to each of its deliveries; valid until the next Run
}

// Run keeps all publishers busy for d. What is under way when it returns goes on
// in the next Run, and counts there.
func (c *Crowd) Run(d time.Duration) (CrowdResult, error) {
	began := time.Now()
	c.deliveries, c.publications = 0, 0
	c.latency.Reset()
	if c.epoll < 0 {
		if err := c.start(); err != nil {
			return CrowdResult{}, err
		}
	} else if c.pacer != nil {
		c.skip()
	}
	c.heardAt = time.Since(c.epoch)
	for time.Since(began) < d {
		if err := c.turn(d - time.Since(began)); err != nil {
			return CrowdResult{}, err
		}
	}
	if c.pacer != nil {
		c.pacer.stopped = time.Since(c.epoch)
	}
	return CrowdResult{c.deliveries, c.publications, time.Since(began), &c.latency}, nil
}

// Finish publishes nothing more, and waits until everybody has heard what was
// published.
func (c *Crowd) Finish() error {
	c.ending, c.heardAt = true, time.Since(c.epoch)
	for len(c.idle) < len(c.publishers) {
		if err := c.turn(Patience); err != nil {
			return err
		}
	}
	return nil
}

// turn has the publishers who are idle publish, and waits at most for d for
// something to happen.
func (c *Crowd) turn(d time.Duration) error {
	for !c.ending && len(c.idle) > 0 {
		due, ok := c.due()
		if !ok {
			break
		}
		p := c.idle[0]
		c.idle = append(c.idle[:0], c.idle[1:]...)
		if err := c.publish(p, due); err != nil {
			return err
		}
	}
	if err := c.overdue(); err != nil {
		return err
	}
	n, err := unix.EpollWait(c.epoll, c.events, int(min(d, time.Second)/time.Millisecond)+1)
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_wait", err)
	}
	for _, ev := range c.events[:max(n, 0)] {
		if i := int(ev.Fd); i == len(c.subscribers)+len(c.publishers) {
			c.pacer.tick()
		} else if i < len(c.subscribers) {
			s := c.subscribers[i]
			err = c.event(s.conn, s.receiver, ev.Events, s.text, &s.now)
		} else {
			p := c.publishers[i-len(c.subscribers)]
			err = c.event(p.conn, p.talker, ev.Events, func([]byte) error { return p.answer(c) }, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// overdue is an error if nobody has heard anything for too long.
func (c *Crowd) overdue() error {
	if time.Since(c.epoch)-c.heardAt < Patience || len(c.idle) == len(c.publishers) {
		return nil
	}
	for _, p := range c.publishers {
		if p.due > 0 {
			return fmt.Errorf("load: a publication has not come to %d of %d subscribers in %v", p.due, p.room.subscribers, Patience)
		}
	}
	return errors.New("load: a publication was not answered")
}

// start hands the conns to epoll, edge-triggered and once. From here on they do
// not block.
func (c *Crowd) start() error {
	var err error
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		c.epoll = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	c.events = make([]unix.EpollEvent, eventsPerWait)
	c.buf = make([]byte, readBytes)
	for i, s := range c.subscribers {
		if err := s.conn.watch(c.epoll, i); err != nil {
			return err
		}
	}
	for i, p := range c.publishers {
		if err := p.conn.watch(c.epoll, len(c.subscribers)+i); err != nil {
			return err
		}
	}
	if c.cfg.Interval > 0 {
		if c.pacer, err = startPacer(c.cfg.Interval, c.epoll, len(c.subscribers)+len(c.publishers), c.epoch); err != nil {
			return err
		}
	}
	return nil
}

// due takes a publication that is due, and says since when.
func (c *Crowd) due() (since time.Duration, ok bool) {
	now := time.Since(c.epoch)
	if c.pacer == nil {
		return now, true
	}
	return c.pacer.due(now)
}

// skip leaves out what was due since the crowd was last run.
func (c *Crowd) skip() {
	now := time.Since(c.epoch)
	for _, p := range c.publishers {
		if p.due > 0 {
			p.began += now - c.pacer.stopped
		}
	}
	c.pacer.skip(now)
}

// event takes what has come on a conn, and says what is to be said.
func (c *Crowd) event(conn *conn, r receiver, events uint32, text func([]byte) error, now *time.Duration) error {
	return conn.converse(c.buf, events, func(p []byte) ([]byte, error) {
		if now != nil {
			*now = time.Since(c.epoch)
		}
		return r.read(p, text)
	})
}

func (c *Crowd) publish(p *publisher, due time.Duration) error {
	p.room = &c.rooms[c.nextRoom]
	c.nextRoom = (c.nextRoom + 1) % len(c.rooms)
	p.number++
	p.place, p.due, p.answered = -1, p.room.subscribers, !p.talker.answers()
	p.began = due
	say := p.talker.publication(c.roomName(p.room.number), c.stamp.of(p.slot, p.number))
	return p.conn.say(say)
}

func (p *publisher) answer(c *Crowd) error {
	if !p.answered {
		p.answered = true
		c.settle(p)
	}
	return nil
}

// settle makes a publisher idle when all have heard it.
func (c *Crowd) settle(p *publisher) {
	if p.due == 0 && p.answered {
		c.publications++
		c.idle = append(c.idle, p)
	}
}

var (
	errStray = errors.New("load: a publication came that is not under way, or in another room")
	errOrder = errors.New("load: a publication is out of order, came twice, or one before it did not come")
)

// deliver is called for each publication that a subscriber gets.
func (s *subscriber) deliver(c *Crowd) func(slot int, number uint32) error {
	return func(slot int, number uint32) error {
		if slot >= len(c.publishers) {
			return errStray
		}
		p := c.publishers[slot]
		if p.number != number || p.room != s.room || p.due == 0 {
			return errStray
		}
		if p.place < 0 {
			p.place = p.room.heard
			p.room.heard++
		}
		if p.place != s.heard {
			return errOrder
		}
		s.heard++
		c.deliveries++
		c.heardAt = s.now
		c.latency.Record(s.now - p.began)
		p.due--
		c.settle(p)
		return nil
	}
}
