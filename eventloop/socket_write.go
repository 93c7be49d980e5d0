package eventloop

import "golang.org/x/sys/unix"

const (
	// largeWrite is from where the copy into the outbox costs more than the
	// second piece of a vectored write.
	largeWrite = 16 << 10
	// corkBytes is how much gathers in a turn before it is written ahead of
	// the turn's end: more does not make the system call cheaper.
	corkBytes = 64 << 10
)

func (s *socket) Write(p []byte) {
	s.loop.assertOwner()
	if len(p) == 0 || !s.admit(len(p)) {
		return
	}
	if len(p) >= largeWrite && !s.has(blocked|spent) {
		s.writeLarge(p)
		return
	}
	s.out.add(&s.loop.buffers, p)
	if len(p) >= largeWrite {
		s.out.large = len(p)
	}
	s.wrote()
}

func (s *socket) Reserve(n int) []byte {
	s.loop.assertOwner()
	if !s.mayWrite() {
		return nil
	}
	s.touch() // gives the buffer back if nothing is committed
	return s.out.room(&s.loop.buffers, n)
}

func (s *socket) Commit(p []byte) {
	s.loop.assertOwner()
	if len(p) == 0 || !s.mayWrite() {
		return
	}
	if s.full(len(p)) || !s.out.extend(p) {
		s.Write(p) // safe even if p lies in the outbox: bytes only move forward
		return
	}
	if len(p) >= largeWrite {
		s.out.large = len(p)
	}
	s.wrote()
}

func (s *socket) Buffered() int   { return s.out.len() }
func (s *socket) Congested() bool { return s.has(above) }

func (s *socket) mayWrite() bool { return s.phase == opened && !s.has(finWanted) }

// full reports whether too much waits for n more bytes.
func (s *socket) full(n int) bool {
	waiting := s.out.len()
	if n < largeWrite {
		waiting -= s.out.large
	}
	return waiting > s.loop.config.OutboxBytes
}

// admit reports whether n bytes may be added. It ends the conn if they may not
// for want of room; before that, the kernel is offered more than the conn's share.
func (s *socket) admit(n int) bool {
	if !s.mayWrite() {
		return false
	}
	for s.full(n) && s.phase == opened {
		s.newShare()
		if s.send(); s.full(n) && !s.has(spent) {
			s.end(ErrOutboxFull)
		}
	}
	return s.phase == opened
}

// wrote follows an addition to the outbox.
func (s *socket) wrote() {
	if s.out.len() >= corkBytes {
		s.send()
	}
	if waiting := s.out.len(); waiting > s.loop.config.HighWatermark || waiting > 0 && s.has(spent) {
		s.set(above)
	}
	s.touch()
}

// writeLarge offers p to the kernel together with what waits, and keeps what is
// left of both.
func (s *socket) writeLarge(p []byte) {
	l := s.loop
	waiting := s.out.len()
	share := s.share()
	first := s.out.pending()[:min(waiting, share)]
	second := p[:min(len(p), share-len(first))]
	l.iov[0], l.iov[1] = first, second
	iov := l.iov[:]
	if waiting == 0 {
		iov = iov[1:]
	}
	n, err := l.kernel.Writev(int(s.fd), iov)
	l.iov[0], l.iov[1] = nil, nil
	if err != nil && err != unix.EAGAIN {
		s.end(ioError(err))
		return
	}
	s.took(n, len(first)+len(second))
	s.out.sent(min(n, waiting))
	if rest := p[max(0, n-waiting):]; len(rest) > 0 {
		s.out.add(&l.buffers, rest)
		s.out.large = len(rest)
	}
	s.wrote()
}

// send writes what waits, until the kernel refuses or the conn has had its share.
func (s *socket) send() {
	for s.out.len() > 0 && !s.has(blocked|spent) && s.phase != ended {
		p := s.out.pending()
		p = p[:min(len(p), s.share())]
		n, err := s.loop.kernel.Write(int(s.fd), p)
		if err != nil && err != unix.EAGAIN {
			s.end(ioError(err))
			return
		}
		s.took(n, len(p))
		s.out.sent(n)
	}
}

// share is how many bytes may be written before others have their turn.
func (s *socket) share() int { return s.loop.config.WriteBytesPerTurn - int(s.written) }

// newShare begins a turn.
func (s *socket) newShare() {
	s.written = 0
	s.clear(spent)
}

// took notes that the kernel took n bytes of those it was offered. A peer that takes
// bytes is given more time; a conn that has written its share goes on in its next
// turn.
func (s *socket) took(n, offered int) {
	if n < offered {
		s.set(blocked)
	}
	if n <= 0 {
		return
	}
	if s.stall != 0 {
		s.stall = s.loop.after(s.loop.config.WriteTimeout)
	}
	if s.written += int32(n); s.share() <= 0 {
		s.set(spent)
		s.queue()
	}
}

// flush sends what the turn has produced and draws the conclusions.
func (s *socket) flush() {
	s.send()
	if s.phase == ended {
		return
	}
	waiting := s.out.len()
	if waiting == 0 {
		s.stall = 0
		if s.out.buf != nil {
			s.out.release(&s.loop.buffers)
		}
	} else if s.stall == 0 {
		s.stall = s.loop.after(s.loop.config.WriteTimeout)
		s.await()
	}
	if s.has(above) && waiting <= s.loop.config.LowWatermark {
		s.clear(above)
		s.set(drainedDue)
		s.queue()
	}
	if waiting == 0 {
		s.finishWriting()
	}
}

// endTurn flushes. Who has not used up its share begins a new one.
func (s *socket) endTurn() {
	s.flush()
	if !s.has(spent) {
		s.written = 0
	}
}
