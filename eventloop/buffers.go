package eventloop

import "math/bits"

const (
	smallestBuffer = 1 << 10
	// bufferClasses are the powers of two from 1 KiB to 4 MiB.
	bufferClasses = 13
	// freeBytes bounds what the free lists of one loop keep: the outboxes of
	// one publish to 8,000 subscribers, or of eight large transfers.
	freeBytes = 8 << 20
	// freeQueues bounds how many queues of pieces a loop keeps, at 320 bytes each.
	freeQueues = 64
)

// buffers are the free lists of one loop, by size class. Outboxes and messages
// that are arriving borrow from them, so that an idle conn holds no memory. The
// one returned last is lent first, since it is the one in the processor's cache.
//
// Loop-owned: call only from its event loop.
type buffers struct {
	free   [bufferClasses][][]byte
	kept   int // bytes in all lists
	queues []*queue
}

// take lends an empty buffer with room for at least n bytes. Above the largest
// class it is made for the purpose.
func (b *buffers) take(n int) []byte {
	class := classOf(n)
	if class >= bufferClasses {
		return make([]byte, 0, n)
	}
	list := b.free[class]
	if len(list) == 0 {
		return make([]byte, 0, smallestBuffer<<class)
	}
	last := len(list) - 1
	p := list[last]
	list[last] = nil
	b.free[class] = list[:last]
	b.kept -= cap(p)
	return p
}

// give takes a buffer back. It drops one that is of no class or exceeds the
// bound.
func (b *buffers) give(p []byte) {
	class := classOf(cap(p))
	if cap(p) == 0 || class >= bufferClasses || cap(p) != smallestBuffer<<class || b.kept+cap(p) > freeBytes {
		return
	}
	b.free[class] = append(b.free[class], p[:0])
	b.kept += cap(p)
}

// classOf is the smallest class with room for n bytes.
func classOf(n int) int {
	if n <= smallestBuffer {
		return 0
	}
	return bits.Len(uint(n-1)) - 10
}

// takeQueue lends an empty queue.
func (b *buffers) takeQueue() *queue {
	last := len(b.queues) - 1
	if last < 0 {
		return new(queue)
	}
	q := b.queues[last]
	b.queues = b.queues[:last]
	return q
}

// giveQueue takes an empty queue back. It drops one that has grown.
func (b *buffers) giveQueue(q *queue) {
	if len(b.queues) < freeQueues && cap(q.pieces) <= 4*piecesPerWrite {
		*q = queue{pieces: q.pieces[:0]}
		b.queues = append(b.queues, q)
	}
}

// Buffer is a loop's memory that several owners share, such as a message that
// was received and waits in outboxes: each has a reference, and with the last one
// the memory goes back to the loop's free lists.
//
// Loop-owned: call only from its event loop.
type Buffer struct {
	p    []byte
	refs int32
	home *buffers
}

// Take lends an empty slice with room for at least n bytes, from the loop's free
// lists. It is the caller's until it is given back with Give, or for good.
func (l *Loop) Take(n int) []byte { return l.buffers.take(n) }

// Give takes back what Take has lent, as cut by its owner at the end only. The
// caller does not use p any more. Memory that is not of a size that Take lends is
// left to the collector.
func (l *Loop) Give(p []byte) { l.buffers.give(p) }

// Share makes a Buffer of memory that Take has lent, with one reference, which is
// the caller's.
func (l *Loop) Share(p []byte) *Buffer { return l.buffers.share(p) }

func (b *buffers) share(p []byte) *Buffer { return &Buffer{p: p, refs: 1, home: b} }

// Release drops a reference of the caller.
func (b *Buffer) Release() {
	if b.refs--; b.refs == 0 {
		b.home.give(b.p)
		b.p = nil
	}
}

// Shared reports whether somebody else has a reference, too.
func (b *Buffer) Shared() bool { return b.refs > 1 }

// Holds reports whether p lies in the buffer.
func (b *Buffer) Holds(p []byte) bool { return within(p, b.p) }

// within reports whether p, which is not empty, lies in the memory of whole.
func within(p, whole []byte) bool {
	at := addressOf(p)
	from := addressOf(whole)
	return len(p) > 0 && cap(whole) > 0 && from <= at && at < from+uintptr(cap(whole))
}
