package eventloop

// outbox holds the bytes of one conn that the kernel has not taken. It is one
// borrowed buffer, or none when empty: a write always has a single piece to
// offer, and appending encoders write straight into it.
//
// Loop-owned: call only from its event loop.
type outbox struct {
	buf  []byte
	head int // bytes of buf that were sent
	// large is how much the latest large write left waiting. It is not counted
	// against small writes after it; see Conn.Write.
	large int
}

func (o *outbox) len() int        { return len(o.buf) - o.head }
func (o *outbox) pending() []byte { return o.buf[o.head:] }

// room returns the free end of the buffer, at least n bytes. It moves what
// waits to the front, or to a buffer at least twice as large, so that each
// byte is moved a constant number of times on average.
func (o *outbox) room(b *buffers, n int) []byte {
	if cap(o.buf)-len(o.buf) < n {
		waiting := o.len()
		if waiting+n <= cap(o.buf) && waiting <= o.head {
			copy(o.buf, o.pending())
			o.buf = o.buf[:waiting]
		} else {
			size := waiting + n
			if waiting > 0 {
				size = max(size, 2*cap(o.buf))
			}
			p := append(b.take(size), o.pending()...)
			b.give(o.buf)
			o.buf = p
		}
		o.head = 0
	}
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

// sent drops n bytes that the kernel took.
func (o *outbox) sent(n int) {
	o.head += n
	if o.head == len(o.buf) {
		o.buf, o.head, o.large = o.buf[:0], 0, 0
	}
}

// release gives the buffer back.
func (o *outbox) release(b *buffers) {
	b.give(o.buf)
	*o = outbox{}
}
