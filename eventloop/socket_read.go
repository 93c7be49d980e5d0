package eventloop

import (
	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

func (s *socket) PauseRead() {
	s.loop.assertOwner()
	s.set(paused)
}

func (s *socket) ResumeRead() {
	s.loop.assertOwner()
	if s.has(paused) {
		s.clear(paused)
		if s.has(readable) && s.phase == opened {
			s.queue()
		}
	}
}

// note takes in one report of the poller.
func (s *socket) note(r kernel.Readiness) {
	if r&kernel.Readable != 0 {
		s.set(readable)
	}
	if r&kernel.ReadToEnd != 0 {
		s.set(readToEnd)
	}
	if r&kernel.Hangup != 0 {
		s.noteHangup()
	}
	if r&kernel.Writable != 0 {
		s.clear(blocked)
	}
}

// noteHangup checks what the poller reports, since an event may stem from
// before the descriptor was closed and used again.
func (s *socket) noteHangup() {
	hup, reset := s.loop.kernel.Hangup(int(s.fd))
	// Once both ends of stream are sent, a hang-up without an error is just that:
	// the end of input that a paused conn has not read yet.
	if reset || hup && !s.has(finSent) {
		s.set(hungUp | readable | readToEnd)
	}
}

// serve does what can be done, as far as is known.
func (s *socket) serve() {
	s.clear(queued)
	if s.phase == arrived {
		s.open()
		return
	}
	s.turn()
	if s.has(spent) {
		s.newShare()
	}
	// After a hang-up what can be read comes first, since the write fails.
	if s.out.len() > 0 && !s.has(blocked|hungUp) {
		s.flush()
	}
	s.drained()
	s.read()
}

// drained makes the call that is owed since the outbox was emptied.
func (s *socket) drained() {
	if s.has(drainedDue) && !s.has(spent) && !(s.wantsRoom() && s.has(blocked|hungUp)) {
		s.clear(above | drainedDue)
		if s.phase == opened {
			s.call(doDrained, nil)
		}
	}
}

// reading reports whether input is wanted now.
func (s *socket) reading() bool {
	return s.phase == opened && !s.has(paused|inputOver) || s.phase == lingering
}

// read delivers what has arrived, up to the bound of a turn.
func (s *socket) read() {
	l := s.loop
	budget := l.config.ReadBytesPerTurn
	for s.has(readable) && s.reading() {
		if budget <= 0 {
			s.queue()
			return
		}
		p := s.place()
		n, err := l.kernel.Read(int(s.fd), p)
		if n > 0 {
			budget -= n
			if n < len(p) && !s.has(readToEnd) {
				s.clear(readable)
			}
			s.unplace()
			s.deliver(p[:n])
			continue
		}
		s.clear(readable | readToEnd)
		if err == nil {
			s.endOfInput()
		} else if err != unix.EAGAIN {
			s.inputFailed(err)
		}
	}
	if s.has(hungUp) && s.phase != ended {
		s.gone()
	}
	s.foretell()
}

// foretell makes the call that a paused protocol is owed when an end of stream
// waits behind what it does not read. The kernel is asked, since the report of it
// may be about a former owner of the descriptor.
func (s *socket) foretell() {
	if s.foretold || !s.has(readToEnd) || !s.has(paused) || s.has(inputOver) || s.phase != opened {
		return
	}
	if s.loop.kernel.PeerEnded(int(s.fd)) {
		s.foretold = true
		s.call(doPeerEnded, nil)
	}
}

func (s *socket) ReadInto(p []byte) {
	s.loop.assertOwner()
	if len(p) > 0 && s.phase == opened {
		s.loop.places[s] = p
	} else {
		s.unplace()
	}
}

// unplace has the next read go where it usually does. Few conns have a place of
// their own at a time, and mostly there is none.
func (s *socket) unplace() {
	if places := s.loop.places; len(places) > 0 {
		delete(places, s)
	}
}

// place is where the next read is to go: a turn's share at most.
func (s *socket) place() []byte {
	l := s.loop
	if len(l.places) > 0 {
		if p, ok := l.places[s]; ok && (l.most == readBufferBytes || !within(p, l.input)) {
			return p[:min(len(p), l.config.ReadBytesPerTurn)]
		}
	}
	return l.input[:l.most]
}

func (s *socket) deliver(p []byte) {
	s.clear(newcomer)
	if s.phase == opened {
		s.call(doData, p)
		return
	}
	s.lingered += int32(len(p))
	if int(s.lingered) > s.loop.config.LingerBytes {
		s.end(nil)
	}
}

// endOfInput follows a read of nothing.
func (s *socket) endOfInput() {
	s.set(inputOver)
	switch {
	case s.phase == lingering:
		s.end(nil)
	case s.has(hungUp): // there is nobody left to answer to
	default:
		s.call(doEOF, nil)
		if s.phase == opened && s.has(finSent) {
			s.end(nil)
		}
	}
}

// inputFailed follows a read error. A reset while we linger comes after
// everything was sent and is no news to the protocol.
func (s *socket) inputFailed(err error) {
	if s.phase == lingering {
		s.end(nil)
		return
	}
	s.end(ioError(err))
}

// gone ends a conn that the peer left for good. Nothing can be read any more,
// or nobody wants to.
func (s *socket) gone() {
	if s.phase == lingering {
		s.end(nil)
		return
	}
	s.end(ErrReset)
}
