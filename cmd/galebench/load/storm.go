package load

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// StormConfig says who comes back to what.
type StormConfig struct {
	// Server is where to connect to, an IPv4 address of the loopback, and speaks
	// gale's protocol for hubs. Required.
	Server netip.AddrPort

	// Subscribers is the number of those who are dropped. Default: 1.
	Subscribers int

	// Interval is the period in which something is published for them, also while
	// they are away, and InFlight how many publications then. Default: 1 each
	// 200 ms.
	Interval time.Duration
	InFlight int

	// Spread is the time within which each comes back, when chance will have it.
	// Default: 1 s.
	Spread time.Duration

	// Size is that of a publication in bytes, at least 32. Default: 125.
	Size int
}

// Storm are subscribers of one channel that are dropped all at once and come back,
// each to the place where it was. Each must hear everything that is published, once
// and in order, whether it was there or not; else the storm fails.
//
// It runs by itself, since it goes on while it is waited for.
//
// Not safe for concurrent use.
type Storm struct {
	strikes chan struct{}
	wake    int // an eventfd
	ending  atomic.Bool
	results chan stormEvent
}

// stormEvent is what has become of the storm: all are back, or it is over.
type stormEvent struct {
	elapsed time.Duration
	err     error
	over    bool
}

// StartStorm has everybody connect and subscribe, spread as they will come back,
// and begins to publish.
func StartStorm(cfg StormConfig) (*Storm, error) {
	cfg.Subscribers, cfg.InFlight = max(cfg.Subscribers, 1), max(cfg.InFlight, 1)
	if cfg.Interval <= 0 {
		cfg.Interval = 200 * time.Millisecond
	}
	if cfg.Spread <= 0 {
		cfg.Spread = time.Second
	}
	if cfg.Size == 0 {
		cfg.Size = 125
	}
	stamp, err := newStamp(cfg.Size)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	s := &Storm{wake: wake, strikes: make(chan struct{}, 1), results: make(chan stormEvent, 2)}
	w := &weather{Storm: s, cfg: cfg, stamp: stamp, epoll: -1, epoch: time.Now()}
	go w.run() // ends with Close, or when it fails
	if _, err := s.Await(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Strike drops all subscribers at once. Await follows.
func (s *Storm) Strike() {
	s.strikes <- struct{}{}
	s.rouse()
}

func (s *Storm) rouse() { _, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Await waits until all are back and have heard what they had missed, and returns
// how long that took since the strike.
func (s *Storm) Await() (elapsed time.Duration, err error) {
	e := <-s.results
	return e.elapsed, s.noted(e)
}

// noted keeps what Close is to return.
func (s *Storm) noted(e stormEvent) error {
	if e.over {
		s.results <- e
	}
	return e.err
}

// Close publishes nothing more, waits until all have heard everything, and hangs
// up.
func (s *Storm) Close() error {
	s.ending.Store(true)
	s.rouse()
	for {
		if e := <-s.results; e.over {
			_ = unix.Close(s.wake)
			return e.err
		}
	}
}

// weather is the storm as its goroutine has it.
type weather struct {
	*Storm
	cfg       StormConfig
	stamp     stamp
	epoll     int
	epoch     time.Time
	buf       []byte
	source    int // of the source addresses
	members   []*member
	absent    []*member // in the order in which they come back, the last one first
	publisher *publisher
	published uint64
	began     time.Duration // of the strike
	missing   int           // those that have not recovered since
	back      bool          // they all were, and that was told
	heardAt   time.Duration // when something was heard last
}

// member is one subscriber.
type member struct {
	number int
	conn   *conn // nil while it is away
	talker *webSocketTalker
	head   []byte // of the answer to the handshake
	until  uint64 // what it has to hear to have recovered
	place  place
	at     time.Duration // when it comes back
	stage  stage
}

type stage uint8

const (
	away      stage = iota
	shaking         // hands
	joining         // the channel
	listening       // to what it has missed
	recovered
)

const (
	stormChannel   = "storm"
	numPublisher   = -1 // among the events
	numWake        = -2
	numPacer       = -3
	stormHandshake = "GET /hub/ws" + handshakeFields + "Sec-WebSocket-Protocol: gale.hub.v1\r\n\r\n"
)

func (w *weather) run() {
	err := w.blow()
	for _, m := range w.members {
		m.drop()
	}
	if w.publisher != nil {
		w.publisher.conn.close()
	}
	if w.epoll >= 0 {
		_ = unix.Close(w.epoll)
	}
	w.results <- stormEvent{err: err, over: true}
}

func (w *weather) blow() (err error) {
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		w.epoll = -1
		return os.NewSyscallError("epoll_create1", err)
	}
	w.buf = make([]byte, readBytes)
	w.members = make([]*member, w.cfg.Subscribers)
	for i := range w.members {
		w.members[i] = &member{number: i}
	}
	if err := w.openPublisher(); err != nil {
		return err
	}
	if err := w.watch(w.wake, numWake, unix.EPOLLIN); err != nil {
		return err
	}
	pacer, err := startPacer(w.cfg.Interval, w.epoll, numPacer, w.epoch)
	if err != nil {
		return err
	}
	defer pacer.close()
	w.strike()
	events := make([]unix.EpollEvent, eventsPerWait)
	for !w.complete() {
		now := w.now()
		if err := w.progress(now, pacer); err != nil {
			return err
		}
		n, err := unix.EpollWait(w.epoll, events, w.patience(now))
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if err := w.event(int(ev.Fd), ev.Events, pacer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *weather) now() time.Duration { return time.Since(w.epoch) }

// patience is how long nothing may happen, in milliseconds, before somebody comes
// back.
func (w *weather) patience(now time.Duration) int {
	wait := time.Second
	if n := len(w.absent); n > 0 {
		wait = min(wait, max(0, w.absent[n-1].at-now))
	}
	return int((wait + time.Millisecond - 1) / time.Millisecond)
}

// complete reports whether the storm is to end, and all have heard everything.
func (w *weather) complete() bool {
	if !w.ending.Load() || w.missing > 0 {
		return false
	}
	for _, m := range w.members {
		if m.place.Offset < w.published {
			return false
		}
	}
	return true
}

// progress does what is due: strike, publish, come back.
func (w *weather) progress(now time.Duration, pacer *pacer) error {
	select {
	case <-w.strikes:
		w.strike()
	default:
	}
	for n := len(w.absent); n > 0 && w.absent[n-1].at <= now; n-- {
		if err := w.dial(w.absent[n-1]); err != nil {
			return err
		}
		w.absent = w.absent[:n-1]
	}
	if _, due := pacer.due(now); due && !w.ending.Load() {
		pacer.skip(now)
		for range w.cfg.InFlight {
			w.published++
			say := w.publisher.talker.publication(stormChannel, w.stamp.of(0, uint32(w.published)))
			if err := w.publisher.conn.say(say); err != nil {
				return err
			}
		}
	}
	switch {
	case w.missing == 0 && !w.back:
		w.back = true
		w.results <- stormEvent{elapsed: now - w.began}
	case now-w.heardAt > w.cfg.Spread+Patience:
		return fmt.Errorf("load: nothing has happened for %v, and %d of %d subscribers are not back", Patience, w.missing, len(w.members))
	}
	return nil
}

// strike drops everybody.
func (w *weather) strike() {
	w.began = w.now()
	w.heardAt = w.began
	w.missing, w.back = len(w.members), false
	for _, m := range w.members {
		m.drop()
	}
	w.absent = append(w.absent[:0], w.members...)
	for _, m := range w.absent {
		m.at = w.began + rand.N(w.cfg.Spread)
	}
	slices.SortFunc(w.absent, func(a, b *member) int { return cmp.Compare(b.at, a.at) })
}

// drop resets the connection.
func (m *member) drop() {
	if m.conn != nil {
		m.conn.close()
	}
	m.conn, m.stage = nil, away
}

func (w *weather) watch(fd, number int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(number)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

const edges = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// openPublisher connects who publishes.
func (w *weather) openPublisher() error {
	c, err := dial(w.cfg.Server, 0)
	if err != nil {
		return err
	}
	w.publisher = &publisher{conn: c}
	if w.publisher.talker, err = NewGaleRooms().publisher(c); err != nil {
		return err
	}
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return w.watch(c.fd, numPublisher, edges)
}

// dial has one begin to come back.
func (w *weather) dial(m *member) (err error) {
	m.conn, err = dialAtOnce(w.cfg.Server, w.source)
	for err == errPorts && w.source < maxSources {
		w.source++
		m.conn, err = dialAtOnce(w.cfg.Server, w.source)
	}
	if err != nil {
		return err
	}
	m.stage, m.head, m.talker = shaking, m.head[:0], &webSocketTalker{}
	m.conn.unsent = []byte(stormHandshake)
	w.heardAt = w.now()
	return w.watch(m.conn.fd, m.number, edges)
}

func (w *weather) event(number int, events uint32, pacer *pacer) error {
	switch number {
	case numWake:
		var b [8]byte
		_, _ = unix.Read(w.wake, b[:])
		return nil
	case numPacer:
		pacer.tick()
		return nil
	case numPublisher:
		return w.publisher.conn.converse(w.buf, events, func(p []byte) ([]byte, error) {
			return w.publisher.talker.read(p, func(text []byte) error {
				_, err := pushes(text)
				return err
			})
		})
	}
	m := w.members[number]
	if m.conn == nil {
		return nil // the event is older than the strike
	}
	return m.conn.converse(w.buf, events, func(p []byte) ([]byte, error) { return w.hear(m, p) })
}

// hear takes what has come for a member.
func (w *weather) hear(m *member, p []byte) (say []byte, err error) {
	w.heardAt = w.now()
	if m.stage == shaking {
		m.head = append(m.head, p...)
		end := bytes.Index(m.head, []byte("\r\n\r\n"))
		switch {
		case end < 0 && len(m.head) < maxHead:
			return nil, nil
		case !bytes.HasPrefix(m.head, []byte("HTTP/1.1 101 ")):
			return nil, fmt.Errorf("load: the handshake was answered with %.100q", m.head)
		}
		p = m.head[end+4:]
		m.stage = joining
		join := `{"channel":"` + stormChannel + `"}`
		if m.place != (place{}) {
			join = fmt.Sprintf(`{"channel":"%s","after":{"epoch":"%s","offset":%d}}`, stormChannel, m.place.Epoch, m.place.Offset)
		}
		say = appendFrameOf(nil, opText, frameKey, []byte(`[{"id":1,"connect":{}},{"id":2,"subscribe":`+join+`}]`))
	}
	more, err := m.talker.read(p, func(text []byte) error {
		all, err := pushes(text)
		for i := range all {
			if err == nil {
				err = w.took(m, &all[i])
			}
		}
		return err
	})
	return append(say, more...), err
}

// took takes one message for a member.
func (w *weather) took(m *member, p *push) error {
	switch {
	case p.Gap != nil:
		return fmt.Errorf("%w: %+v", errMissed, *p.Gap)
	case p.Subscribed != nil:
		if m.place == (place{}) {
			m.place = p.Subscribed.Position
		}
		if p.Subscribed.Missing != 0 || p.Subscribed.Position != m.place {
			return fmt.Errorf("%w: %+v at %v", errMissed, *p.Subscribed, m.place)
		}
		m.stage, m.until = listening, p.Subscribed.Top.Offset
	case p.Message != nil:
		if err := m.place.follow(p.Message.place, p.Message.Data, w.stamp); err != nil {
			return err
		}
	}
	if m.stage == listening && m.place.Offset >= m.until {
		m.stage = recovered
		w.missing--
	}
	return nil
}
