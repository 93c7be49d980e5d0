package eventloop

import (
	"net/netip"
	"time"
)

// phase is how far a conn has come. It only moves forward.
type phase uint8

const (
	arrived phase = iota // waits to be opened
	opened
	flushing  // Close was called: the outbox is being flushed
	lingering // our end of stream is sent: input is thrown away
	ended     // closed soon, or already
)

// flags are facts about a conn that are independent of its phase.
type flags uint16

const (
	// What is known of the kernel's side.
	readable  flags = 1 << iota // a read may find something
	readToEnd                   // a short read does not mean "drained"
	hungUp                      // both directions are over, by the peer or the network
	inputOver                   // the peer's end of stream was read
	blocked                     // the kernel refused a write; an edge will follow
	spent                       // Config.WriteBytesPerTurn are written; the rest follows from the ready list
	finWanted                   // CloseWrite was called
	finSent                     // our end of stream was sent
	// What the protocol asked for, and what it is owed.
	paused     // PauseRead was called
	scheduled  // owed a Turn
	above      // congested since the last Drained
	drainedDue // owed a Drained; together with above: as soon as the kernel has room
	// Membership in the loop's lists.
	touched
	queued
	// How it came.
	newcomer // nothing has come of it yet
	refused  // above Config.MaxConns
)

// socket is the Conn of one descriptor. An idle conn is this struct, one word
// in the table, and what its Protocol holds.
//
// The fields that every event needs stand first: a conn among thousands is cold
// in the cache, and each line of it costs as much as all that is done with it.
//
// Loop-owned: call only from its event loop, except Post, Loop and RemoteAddr.
type socket struct {
	loop     *Loop
	protocol Protocol
	fd       int32
	flags    flags
	phase    phase
	foretold bool // PeerEnded was called
	out      outbox
	stall    time.Duration // when a peer that takes nothing is given up; zero: nothing waits
	written  int32         // bytes in this turn
	lingered int32         // bytes of input thrown away, at most Config.LingerBytes

	deadline time.Duration // the protocol's while opened, then that of the phase; zero: none
	node     wheelNode
	timers   *Timer // running timers
	listener *listener
	remote   netip.AddrPort
	err      error // for Closed
}

func newSocket(l *Loop, fd int, from *listener, remote netip.AddrPort) *socket {
	s := &socket{loop: l, fd: int32(fd), flags: newcomer, listener: from, remote: remote}
	s.node.owner = s
	return s
}

func (s *socket) has(f flags) bool { return s.flags&f != 0 }
func (s *socket) set(f flags)      { s.flags |= f }
func (s *socket) clear(f flags)    { s.flags &^= f }

// touch has the conn seen to at the end of this turn.
func (s *socket) touch() {
	if s != s.loop.current && !s.has(touched) {
		s.set(touched)
		s.loop.touched = append(s.loop.touched, s)
	}
}

// queue gives the conn a place in one of the lists of those who wait for a turn.
func (s *socket) queue() {
	if s.has(queued) {
		return
	}
	s.set(queued)
	if l := s.loop; s.has(newcomer | readToEnd) {
		l.door = append(l.door, s)
	} else {
		l.ready = append(l.ready, s)
	}
}

// open is the first turn of a conn on its loop.
func (s *socket) open() {
	l := s.loop
	s.phase = opened
	l.table.put(int(s.fd), s)
	if s.has(refused) {
		s.protocol = refusal{}
		s.Write(l.config.Refusal)
		s.Close()
	} else {
		s.protocol = refusal{} // if open does not return
		l.protect(s, func() { s.protocol = s.listener.open(s) })
	}
	if s.protocol == nil {
		s.protocol = refusal{}
		s.end(ErrAborted)
	}
	if s.phase == ended {
		return
	}
	if err := l.kernel.Register(int(s.fd)); err != nil {
		l.config.Logger.Error("event loop cannot watch a connection", "loop", l.index, "error", err)
		s.end(ErrAborted)
	}
	if l.draining {
		s.Close()
	}
}

// end stops everything at once; the rest follows when this turn is over. The
// first reason counts.
func (s *socket) end(reason error) {
	if s.phase == ended {
		return
	}
	s.phase = ended
	s.err = reason
	s.loop.dying = append(s.loop.dying, s)
}

// destroy gives everything back and makes the last call.
func (s *socket) destroy() {
	l := s.loop
	l.wheel.remove(&s.node)
	for t := s.timers; t != nil; t = s.timers {
		l.wheel.remove(&t.node)
		t.idle()
	}
	s.out.release(&l.buffers)
	s.unplace()
	l.table.put(int(s.fd), nil)
	if s.err == nil {
		l.kernel.Close(int(s.fd))
	} else {
		l.kernel.Abort(int(s.fd))
	}
	l.conns.Add(-1)
	l.group.left(s)
	s.call(doClosed, nil)
	s.protocol = nil
}

// callback names a method of Protocol.
type callback uint8

const (
	doData callback = iota
	doEOF
	doPeerEnded
	doTurn
	doDrained
	doDeadline
	doClosed
)

// call is the one place where a protocol is called.
func (s *socket) call(c callback, p []byte) {
	returned := false
	defer s.loop.recovered(s, &returned)
	switch c {
	case doData:
		s.protocol.Data(p)
	case doEOF:
		s.protocol.EOF()
	case doPeerEnded:
		s.protocol.PeerEnded()
	case doTurn:
		s.protocol.Turn()
	case doDrained:
		s.protocol.Drained()
	case doDeadline:
		s.protocol.Deadline()
	case doClosed:
		s.protocol.Closed(s.err)
	}
	returned = true
}

// turn makes the call that Schedule asked for. What the poller or the wheel
// reports comes behind it, though it may be of a former turn that had no time
// for it.
func (s *socket) turn() {
	if s.has(scheduled) {
		s.clear(scheduled)
		if s.phase == opened {
			s.call(doTurn, nil)
		}
	}
}

// due is the earlier of the two instants that the conn waits for.
func (s *socket) due() time.Duration {
	if s.stall != 0 && (s.deadline == 0 || s.stall < s.deadline) {
		return s.stall
	}
	return s.deadline
}

// await files the conn in the wheel after one of its instants was set.
func (s *socket) await() { s.loop.wheel.file(&s.node, s.due()) }

// expire sees to the instants that have come.
func (s *socket) expire() {
	s.turn()
	now := s.loop.elapsed
	if s.stall != 0 && s.stall <= now {
		s.end(ErrWriteTimeout)
		return
	}
	if s.deadline != 0 && s.deadline <= now {
		s.deadline = 0
		switch s.phase {
		case opened:
			s.call(doDeadline, nil)
		case flushing:
			s.end(ErrWriteTimeout)
		case lingering:
			s.end(nil)
		}
	}
	if s.due() != 0 && s.phase != ended {
		s.await()
	}
}

// refusal is the protocol of a conn above Config.MaxConns, which is closed as
// soon as it is opened.
type refusal struct{}

func (refusal) Data([]byte)  {}
func (refusal) EOF()         {}
func (refusal) PeerEnded()   {}
func (refusal) Turn()        {}
func (refusal) Drained()     {}
func (refusal) Deadline()    {}
func (refusal) Closed(error) {}
