package eventloop

import (
	"math"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// What one turn may do of each kind, so that no kind starves another: as many,
// and for as long, looking at the clock now and then. What is left is served in
// the next turn, after the poller was asked again.
const (
	tasksPerTurn  = 512
	readyPerTurn  = 64 // conns of a list, each reading at most Config.ReadBytesPerTurn
	timersPerTurn = 1024

	// reportsPerTurn is how many reports of the poller are served as they come
	// before the loop looks at the clock: a poller's list may be as long as it likes.
	reportsPerTurn = 16

	// touchedPerTurn is how many conns may gather output before nothing more is
	// begun: each costs a system call at the end of the turn.
	touchedPerTurn = 64

	// timePerTurn is what others do not notice, and time to gather output for many
	// conns.
	timePerTurn = 100 * time.Microsecond
)

// readBufferBytes is the size of a loop's read buffer: one system call takes
// what a client sends in a burst, and a short read is the usual case.
const readBufferBytes = 64 << 10

// inputBytes is how much a read of a large transfer may take: a message of that
// size that has arrived lies whole in the loop's memory.
const inputBytes = 4 * readBufferBytes

// Loop is one event loop. All state of its conns is owned by the goroutine that
// runs it; [Loop.Post] and [Conn.Post] are the doors for everybody else.
//
// Loop-owned: call only from its event loop, except Post, PostOwed and Index.
type Loop struct {
	index  int
	group  *Group
	config *Config
	kernel kernel.Kernel
	table  *table

	base    time.Time     // when the loop was made
	now     time.Time     // when this turn began
	elapsed time.Duration // now less base

	wheel   wheel
	armed   int64 // tick the kernel's timer is set to; never if it is not
	buffers buffers
	input   []byte                 // every read goes here, but for those of places; see Input
	most    int                    // bytes of input that an ordinary read takes
	places  map[*socket][]byte     // where the next read of a conn is to go
	iov     [piecesPerWrite][]byte // scratch for vectored writes

	lastSmall time.Duration // elapsed when a conn last had a turn with small output

	mailbox mailbox
	current *socket   // the conn whose event is handled; flushed at its end
	touched []*socket // conns with a turn, output or a close to be seen to
	spare   []*socket // the array touched had before
	ready   []*socket // conns with input left, or due a Drained; round robin
	door    []*socket // conns to be opened, new ones with input, and those whose peer leaves
	dying   []*socket // conns that have ended, to be closed

	reports int       // of the poller since the last wake turn
	crowd   time.Time // when they were reportsPerTurn

	conns    atomic.Int64  // handed over and not yet closed
	woken    atomic.Bool   // a wake turn is under way
	began    atomic.Int64  // elapsed at the start of the turn; zero between turns
	owner    atomic.Uint64 // goroutine.ID of whoever runs the loop
	draining bool
	stopping bool
	exited   bool          // a callback has ended the loop's goroutine
	empty    chan struct{} // closed when draining and without conns
	stopped  chan struct{} // closed when the loop has stopped
}

func newLoop(index int, group *Group, config *Config, k kernel.Kernel, t *table) *Loop {
	l := &Loop{
		index: index, group: group, config: config, kernel: k, table: t,
		base: k.Now(), armed: never, input: make([]byte, readBufferBytes), places: make(map[*socket][]byte), empty: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.now = l.base
	l.LimitReads(0)
	l.mailbox.limit = config.MailboxTasks
	l.mailbox.wake = l.wake
	return l
}

// Post runs fn on the loop, in a later turn, in the order of posting. It
// reports false, and drops fn, if the loop has stopped or Config.MailboxTasks
// wait. Safe for concurrent use.
func (l *Loop) Post(fn func()) bool { return l.mailbox.post(task{fn: fn}) }

// PostOwed is Post for what somebody waits for who has no other way to go on,
// and that something else bounds, as the one result of a job: only a loop that
// has stopped refuses it. Safe for concurrent use.
func (l *Loop) PostOwed(fn func()) bool { return l.mailbox.force(task{fn: fn}) }

// Index is the loop's number within its group, from zero. Safe for concurrent
// use.
func (l *Loop) Index() int { return l.index }

// LimitReads bounds what one read takes of any conn, in bytes: what a protocol
// that pauses has still to be given is at most that, unless it has said itself where
// to read to ([Conn.ReadInto]). Zero, the default, is the most that there is, 64 KiB.
func (l *Loop) LimitReads(n int) {
	if l.most = n; n <= 0 || n > readBufferBytes {
		l.most = readBufferBytes
	}
}

// Now is the time at which this turn began.
func (l *Loop) Now() time.Time { return l.now }

// Elapsed is the time from the loop's beginning to that of this turn: an instant in
// eight bytes, for who has many.
func (l *Loop) Elapsed() time.Duration { return l.elapsed }

// Input is the loop's memory for what conns read, 256 KiB from the first call on, for
// [Conn.ReadInto]: a read goes to its first 64 KiB otherwise. It is nil while reads are
// limited.
func (l *Loop) Input() []byte {
	if l.most < readBufferBytes {
		return nil
	}
	if len(l.input) < inputBytes { // what a read has left in the old one stays as it is
		l.input = make([]byte, inputBytes)
	}
	return l.input
}

// AfterFunc calls fn on the loop, once, after d or up to 9 ms later. A timer
// that is running when the loop stops does not fire.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	l.assertOwner()
	return l.newTimer(nil, d, fn)
}

// beginTurn reads the clock. All else goes by the time it found.
func (l *Loop) beginTurn() {
	l.Adopt()
	l.now = l.kernel.Now()
	l.elapsed = max(l.elapsed, l.now.Sub(l.base))
	l.began.Store(int64(l.elapsed) | 1)
}

// late reports whether a turn has worked at one kind of things since the given
// time for as long as it may, having done n of them. It looks at the clock after
// 1, 2, 4, 8, 16, 32, 48 and so on: what is slow shows early, and what is quick is
// not slowed down.
func (l *Loop) late(n int, since time.Time) bool {
	const often = 16
	if n == 0 || n%often != 0 && n&(n-1) != 0 {
		return false
	}
	return l.kernel.Now().Sub(since) >= timePerTurn
}

// full reports whether a turn, having done n things of its kind, is to begin
// nothing more.
func (l *Loop) full(n int) bool {
	return n > 0 && len(l.touched) >= touchedPerTurn || l.late(n, l.now)
}

// endTurn follows a turn of any kind.
func (l *Loop) endTurn() {
	if len(l.touched)+len(l.ready)+len(l.door)+len(l.dying) > 0 || l.mailbox.waiting() {
		l.wake()
	}
	if soonest := l.wheel.soonest; soonest != 0 && soonest < l.armed {
		l.armed = soonest
		l.kernel.Arm(instant(soonest) - l.elapsed)
	}
	if l.draining && l.conns.Load() == 0 {
		l.signalEmpty()
	}
	l.began.Store(0)
}

// onReady is the turn of one descriptor.
func (l *Loop) onReady(fd int, r kernel.Readiness) {
	s := l.table.find(fd)
	if s == nil || s.loop != l {
		return // an event from before the descriptor was closed
	}
	l.beginTurn()
	s.note(r)
	if l.crowded() || s.has(queued) {
		s.queue()
	} else {
		l.current = s
		s.serve()
		s.turn()
		s.endTurn()
		l.current = nil
		if s.has(scheduled) {
			s.touch()
		}
		l.reap(1)
	}
	l.endTurn()
}

// crowded reports whether the poller has reported so much since the last wake turn
// that the rest is to wait in a list of ours, which is served after the poller was
// asked again. A wake turn is the only mark between two lists of the poller; once it is
// under way the loop does not sleep, and all time is work.
func (l *Loop) crowded() bool {
	if l.reports++; l.reports == reportsPerTurn {
		l.wake()
		l.crowd = l.now
	}
	return l.reports > reportsPerTurn && l.now.Sub(l.crowd) >= timePerTurn
}

// onWake is the turn of everything that came from elsewhere than the
// descriptors: posted functions, and conns left over from former turns.
func (l *Loop) onWake() {
	l.beginTurn()
	l.woken.Store(false)
	l.reports = 0
	for n := 0; n < tasksPerTurn && !l.full(n); n++ {
		t, ok := l.mailbox.next()
		if !ok {
			break
		}
		l.run(t)
	}
	l.serve(&l.ready)
	l.serve(&l.door)
	l.settle()
	l.reap(math.MaxInt)
	l.endTurn()
}

// onTimer is the turn of the timers that are due.
func (l *Loop) onTimer() {
	l.beginTurn()
	l.armed = never
	for n := 0; n < timersPerTurn && !l.full(n); n++ {
		due := l.wheel.pop(l.elapsed)
		if due == nil {
			break
		}
		switch due := due.(type) {
		case *socket:
			due.expire()
		case *Timer:
			due.idle()
			if due.conn == nil || due.conn.phase != ended {
				l.protect(due.conn, due.fn)
			}
		}
	}
	l.settle()
	l.reap(math.MaxInt)
	l.endTurn()
}

// wake has a wake turn follow. Safe for concurrent use, as long as the loop has
// not stopped.
func (l *Loop) wake() {
	if l.woken.CompareAndSwap(false, true) {
		l.kernel.Wake()
	}
}

func (l *Loop) run(t task) {
	switch {
	case t.fn == nil:
		t.conn.queue()
	case t.conn == nil || t.conn.phase != ended:
		l.protect(t.conn, t.fn)
	}
}

// serve gives the conns at the head of a list their turn.
func (l *Loop) serve(list *[]*socket) {
	n := 0
	if most := min(len(*list), readyPerTurn); most > 0 { // who comes back waits for the next turn
		for began := l.kernel.Now(); n < most && !l.late(n, began); n++ {
			(*list)[n].serve()
		}
	}
	*list = slices.Delete(*list, 0, n)
}

// settle ends the turn for every touched conn: first all Turns for which there is
// time, which may write to any conn, then one flush each. Whoever was scheduled
// again in the meantime, or still is, stays for the next turn; those who had none
// come first then.
func (l *Loop) settle() {
	n := 0
	if most := len(l.touched); most > 0 {
		for began := l.kernel.Now(); n < most && !l.late(n, began); n++ {
			l.touched[n].turn()
		}
	}
	list := l.touched
	l.touched = l.spare[:0]
	for i := range list {
		s := list[(n+i)%len(list)]
		s.clear(touched)
		s.endTurn()
		if s.has(scheduled) {
			s.touch()
		}
	}
	clear(list)
	l.spare = list[:0]
}

// reap closes conns that have ended, as many as there is time for.
func (l *Loop) reap(most int) {
	if len(l.dying) == 0 {
		return
	}
	n := 0
	for began := l.kernel.Now(); n < min(most, len(l.dying)) && !l.late(n, began); n++ {
		if s := l.dying[n]; s != nil {
			l.dying[n] = nil // once, even if its last call ends the goroutine
			s.destroy()
		}
	}
	l.dying = slices.Delete(l.dying, 0, n)
}

// protect runs code that is not ours; conn is the one that pays for a panic,
// nil if there is none.
func (l *Loop) protect(conn *socket, fn func()) {
	returned := false
	defer l.recovered(conn, &returned)
	fn()
	returned = true
}

// recovered is deferred around every call of code that is not ours.
func (l *Loop) recovered(conn *socket, returned *bool) {
	if *returned {
		return
	}
	value := recover()
	if l.exited = value == nil; l.exited {
		value = errGoexit // the goroutine ends, and the loop resumes on another
	}
	err := &PanicError{Value: value, Stack: debug.Stack()}
	l.config.Logger.Error("panic on an event loop", "loop", l.index, "panic", value, "stack", string(err.Stack))
	switch {
	case conn == nil:
	case l.exited:
		conn.Close() // what its protocol has made of that is still written
	default:
		conn.end(err)
	}
}

// after is the instant d from now, in the loop's time; never zero.
func (l *Loop) after(d time.Duration) time.Duration {
	return max(1, min(l.elapsed, math.MaxInt64/2)+min(max(d, 0), endless))
}
