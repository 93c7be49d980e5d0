package eventloop

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// largeWrite is from where the copy into the outbox costs more than the
	// second piece of a vectored write.
	largeWrite = 16 << 10
	// corkBytes is how much gathers in a turn before it is written ahead of
	// the turn's end: more does not make the system call cheaper.
	corkBytes = 64 << 10

	// A write of ledBytes or more begins with a small one, of leadBytes. A kernel
	// that paces its connections (BBR) takes the rate of a write that finds nothing
	// under way for all that the path can do, and holds the next ones down to it with
	// a timer for each piece: measured, 1 MiB costs twice as much without the lead.
	ledBytes  = 256 << 10
	leadBytes = 4 << 10
)

// quietTime is how long a loop has seen to large transfers only until each may write
// Config.QuietBytesPerTurn.
const quietTime = 2 * time.Millisecond

func (s *socket) Write(p []byte) { s.write(p, copied, nil) }

func (s *socket) WriteImmutable(p []byte) { s.write(p, referred, nil) }

func (s *socket) WriteLent(p []byte) { s.write(p, lent, nil) }

func (s *socket) WriteBuffer(p []byte, b *Buffer) { s.write(p, referred, b) }

func (s *socket) Reclaim() {
	s.loop.assertOwner()
	s.out.reclaim(&s.loop.buffers)
	s.touch()
}

// keeping says what the outbox may do with a large payload that the kernel does
// not take at once.
type keeping uint8

const (
	copied   keeping = iota
	referred         // it does not change until it is sent
	lent             // the same, and somebody waits to use it again
)

func (s *socket) write(p []byte, k keeping, b *Buffer) {
	s.loop.assertOwner()
	if len(p) == 0 || !s.admit(len(p)) {
		return
	}
	if len(p) < largeWrite {
		s.out.add(&s.loop.buffers, p)
	} else if rest := s.offer(p); s.phase == ended {
		return
	} else if len(rest) > 0 {
		s.keep(rest, k, b)
		s.out.queue.large = min(len(p), s.out.len())
	}
	s.wrote()
}

// keep puts what is left of a large payload at the end of the outbox.
func (s *socket) keep(p []byte, k keeping, b *Buffer) {
	if k == copied || within(p, s.loop.input) { // which the next read overwrites
		s.out.addLarge(&s.loop.buffers, p)
		return
	}
	s.out.addPiece(&s.loop.buffers, piece{p: p, buf: b, lent: k == lent})
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
		s.out.closeBuffer(&s.loop.buffers)
		s.out.queue.large = len(p)
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
		waiting -= s.out.large()
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
	if waiting := s.out.len(); waiting > s.loop.config.HighWatermark || waiting > 0 && s.has(spent) || s.out.lends() {
		s.set(above)
		s.clear(drainedDue) // of before: another will be owed
	}
	s.touch()
}

// offer hands p to the kernel together with what waits, and returns what is left
// of p. The kernel takes all that waits before it takes any of p.
func (s *socket) offer(p []byte) (rest []byte) {
	if len(p) >= ledBytes && s.mayOffer() {
		s.out.add(&s.loop.buffers, p[:leadBytes])
		p = p[leadBytes:]
		s.send()
	}
	if !s.mayOffer() {
		return p
	}
	waiting := s.out.len()
	share := s.portion(waiting + len(p))
	iov := s.out.offer(s.loop.iov[:0], share)
	if waiting < share && len(iov) < piecesPerWrite {
		iov = append(iov, p[:min(len(p), share-waiting)])
	}
	n := s.transfer(iov)
	s.out.sent(&s.loop.buffers, min(n, waiting))
	return p[max(0, n-waiting):]
}

// send writes what waits, until the kernel refuses or the conn has had its share.
func (s *socket) send() {
	for s.out.len() > 0 && s.mayOffer() {
		n, share := 0, s.portion(s.out.len())
		if s.out.queue == nil {
			n = s.transferOne(s.out.tail()[:share])
		} else {
			n = s.transfer(s.out.offer(s.loop.iov[:0], share))
		}
		s.out.sent(&s.loop.buffers, n)
	}
}

// transferOne hands p to the kernel and returns how many bytes it took.
func (s *socket) transferOne(p []byte) int {
	n, err := s.loop.kernel.Write(int(s.fd), p)
	return s.transferred(n, len(p), err)
}

// transfer hands iov to the kernel and returns how many bytes it took.
func (s *socket) transfer(iov [][]byte) int {
	defer clear(iov)
	if len(iov) == 1 {
		return s.transferOne(iov[0])
	}
	n, err := s.loop.kernel.Writev(int(s.fd), iov)
	return s.transferred(n, total(iov), err)
}

func total(iov [][]byte) (bytes int) {
	for _, p := range iov {
		bytes += len(p)
	}
	return bytes
}

// transferred draws the conclusions of a write that offered so many bytes.
func (s *socket) transferred(n, offered int, err error) int {
	if err != nil && err != unix.EAGAIN {
		s.end(ioError(err))
		return 0
	}
	s.took(n, offered)
	return n
}

// mayOffer reports whether the kernel is to be offered something now.
func (s *socket) mayOffer() bool {
	if s.phase == ended || s.has(blocked|spent) {
		return false
	}
	if s.share() <= 0 { // others came in the middle of a large share
		s.set(spent)
		s.queue()
		return false
	}
	return true
}

// share is how many bytes may be written before others have their turn.
func (s *socket) share() int {
	l := s.loop
	if l.elapsed-l.lastSmall >= quietTime {
		return l.config.QuietBytesPerTurn - int(s.written)
	}
	return l.config.WriteBytesPerTurn - int(s.written)
}

// newShare begins a turn.
func (s *socket) newShare() {
	s.written = 0
	s.clear(spent)
}

// portion is how many of the bytes that wait may be written now: the rest of the
// share, and a little more if that is all.
func (s *socket) portion(waiting int) int {
	share := s.share()
	if waiting-share <= share/8 { // neither overflows
		return waiting
	}
	return share
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
		s.stall = s.loop.after(s.patience())
	}
	if s.written += int32(n); s.share() <= 0 {
		s.set(spent)
		s.queue()
	}
}

// patience is how long a peer may take nothing. One that the program has started is
// judged by the program.
func (s *socket) patience() time.Duration {
	if s.listener.attached {
		return endless
	}
	return s.loop.config.WriteTimeout
}

// flush sends what the turn has produced and draws the conclusions.
func (s *socket) flush() {
	s.send()
	if s.phase == ended {
		return
	}
	waiting := s.out.len()
	if waiting == 0 && s.out.buf != nil {
		s.out.release(&s.loop.buffers)
	}
	if waiting == 0 && !s.wantsRoom() {
		s.stall = 0
	} else if s.stall == 0 {
		s.stall = s.loop.after(s.patience())
		s.await()
	}
	if s.has(above) && !s.wantsRoom() && waiting <= s.loop.config.LowWatermark && !s.out.lends() {
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
	if 0 < s.written && s.written < largeWrite {
		s.loop.lastSmall = s.loop.elapsed
	}
	if !s.has(spent) {
		s.written = 0
	}
}
