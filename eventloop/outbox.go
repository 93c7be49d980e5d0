package eventloop

import "unsafe"

// piecesPerWrite is how many pieces a vectored write offers.
const piecesPerWrite = 8

// pieceBytes is the size of the pieces in which a large write is copied: what a
// turn writes, so that memory goes back to the loop as the kernel takes it.
const pieceBytes = 128 << 10

// largeBuffer is the size from which an outbox's buffer grows no more.
const largeBuffer = 64 << 10

// outbox holds what the kernel has not taken of one conn's output, in order: the
// pieces of its queue, if it has one, then buf. Small output only ever needs buf,
// one borrowed buffer that appending encoders write straight into. Large output
// is kept in pieces, which refer to memory of somebody else if they may.
//
// Loop-owned: call only from its event loop.
type outbox struct {
	buf   []byte
	head  int // bytes of buf that were sent
	queue *queue
}

// queue is the part of an outbox that is in pieces.
//
// Loop-owned: call only from its event loop.
type queue struct {
	pieces  []piece
	first   int // index of the first piece that is not sent
	waiting int // bytes in all pieces
	lent    int // pieces that are lent
	// large is how much the latest large write left waiting. It is not counted
	// against small writes after it; see Conn.Write.
	large int
}

// piece is a part of an outbox that is apart from its buffer.
type piece struct {
	p    []byte  // not sent yet
	buf  *Buffer // what p lies in, with a reference of ours; nil if p is not the loop's memory
	lent bool    // p may change once it is sent
}

func (o *outbox) len() int {
	n := len(o.buf) - o.head
	if o.queue != nil {
		n += o.queue.waiting
	}
	return n
}

// large is how much the latest large write left waiting, or zero.
func (o *outbox) large() int {
	if o.queue == nil {
		return 0
	}
	return o.queue.large
}

// lends reports whether something that was lent waits.
func (o *outbox) lends() bool { return o.queue != nil && o.queue.lent > 0 }

// tail is what waits in buf.
func (o *outbox) tail() []byte { return o.buf[o.head:] }

// room returns the free end of the buffer, at least n bytes. A buffer without
// room grows to four times its size, and once it has grown large makes way for
// another, so that each byte is moved a constant number of times on average.
func (o *outbox) room(b *buffers, n int) []byte {
	if cap(o.buf)-len(o.buf) >= n {
		return o.buf[len(o.buf):len(o.buf):cap(o.buf)]
	}
	waiting := o.tail()
	switch {
	case len(waiting) >= largeBuffer:
		o.closeBuffer(b)
		o.buf = b.take(max(n, largeBuffer))
	case len(waiting)+n <= cap(o.buf) && len(waiting) <= o.head:
		o.buf = o.buf[:copy(o.buf, waiting)]
	default:
		size := len(waiting) + n
		if len(waiting) > 0 {
			size = max(size, 4*cap(o.buf))
		}
		p := append(b.take(size), waiting...)
		b.give(o.buf)
		o.buf = p
	}
	o.head = 0
	return o.buf[len(o.buf):len(o.buf):cap(o.buf)]
}

// add copies p to the end.
func (o *outbox) add(b *buffers, p []byte) {
	o.room(b, len(p))
	o.buf = append(o.buf, p...)
}

// extend adds p if it was appended to what room returned; false if it lies
// elsewhere.
func (o *outbox) extend(p []byte) bool {
	free := o.buf[len(o.buf):cap(o.buf)]
	if len(p) == 0 || len(p) > len(free) || &p[0] != &free[0] {
		return false
	}
	o.buf = o.buf[:len(o.buf)+len(p)]
	return true
}

// addPiece puts a piece at the end. It takes a reference to the piece's buffer.
func (o *outbox) addPiece(b *buffers, p piece) {
	o.closeBuffer(b)
	if p.buf != nil {
		p.buf.refs++
	}
	o.append(p)
}

// addLarge copies p to the end, in pieces.
func (o *outbox) addLarge(b *buffers, p []byte) {
	o.closeBuffer(b)
	for len(p) > 0 {
		n := min(len(p), pieceBytes)
		q := append(b.take(n), p[:n]...)
		o.append(piece{p: q, buf: b.share(q)})
		p = p[n:]
	}
}

// closeBuffer makes a piece of what waits in buf, so that others may follow.
func (o *outbox) closeBuffer(b *buffers) {
	if o.queue == nil {
		o.queue = b.takeQueue()
	}
	if waiting := o.tail(); len(waiting) > 0 {
		o.append(piece{p: waiting, buf: b.share(o.buf)})
		o.buf, o.head = nil, 0
	}
}

func (o *outbox) append(p piece) {
	q := o.queue
	if q.first > len(q.pieces)/2 { // what was sent makes room, else the list would grow for ever
		n := copy(q.pieces, q.pieces[q.first:])
		clear(q.pieces[n:])
		q.pieces, q.first = q.pieces[:n], 0
	}
	q.pieces = append(q.pieces, p)
	q.waiting += len(p.p)
	if p.lent {
		q.lent++
	}
}

// reclaim replaces what is lent by copies.
func (o *outbox) reclaim(b *buffers) {
	if !o.lends() {
		return
	}
	q := o.queue
	for i := q.first; i < len(q.pieces); i++ {
		if p := &q.pieces[i]; p.lent {
			p.p = append(b.take(len(p.p)), p.p...)
			p.buf, p.lent = b.share(p.p), false
		}
	}
	q.lent = 0
}

// offer appends to iov what waits, at most limit bytes and piecesPerWrite pieces.
func (o *outbox) offer(iov [][]byte, limit int) [][]byte {
	if o.queue != nil {
		for _, p := range o.queue.pieces[o.queue.first:] {
			if limit == 0 || len(iov) == piecesPerWrite {
				return iov
			}
			n := min(len(p.p), limit)
			iov = append(iov, p.p[:n])
			limit -= n
		}
	}
	if waiting := o.tail(); len(waiting) > 0 && limit > 0 && len(iov) < piecesPerWrite {
		iov = append(iov, waiting[:min(len(waiting), limit)])
	}
	return iov
}

// sent drops the n bytes at the front, which the kernel took.
func (o *outbox) sent(b *buffers, n int) {
	if q := o.queue; q != nil {
		if n -= q.sent(n); q.waiting == 0 {
			o.queue = nil
			b.giveQueue(q)
		}
	}
	o.head += n
	if o.head == len(o.buf) {
		o.buf, o.head = o.buf[:0], 0
	}
}

// sent drops up to n bytes and returns how many.
func (q *queue) sent(n int) (dropped int) {
	for dropped < n && q.first < len(q.pieces) {
		p := &q.pieces[q.first]
		k := min(n-dropped, len(p.p))
		dropped += k
		if p.p = p.p[k:]; len(p.p) == 0 {
			q.drop(p)
			q.first++
		}
	}
	q.waiting -= dropped
	q.large = min(q.large, q.waiting)
	return dropped
}

// drop lets go of the memory of p.
func (q *queue) drop(p *piece) {
	if p.buf != nil {
		p.buf.Release()
	}
	if p.lent {
		q.lent--
	}
	*p = piece{}
}

// release gives all memory back.
func (o *outbox) release(b *buffers) {
	if q := o.queue; q != nil {
		q.sent(q.waiting)
		b.giveQueue(q)
	}
	b.give(o.buf)
	*o = outbox{}
}

// addressOf is where p lies, to be compared only.
func addressOf(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }
