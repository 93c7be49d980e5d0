package eventloop

import "math/bits"

const (
	smallestBuffer = 1 << 10
	bufferClasses  = 5 // 1, 4, 16, 64 and 256 KiB
	// freeBytes bounds what the free lists of one loop keep: the outboxes of
	// one publish to 8,000 subscribers.
	freeBytes = 8 << 20
)

// buffers are the free lists of one loop, by size class. Outboxes borrow from
// them, so that a conn with nothing to send holds no memory. The one returned
// last is lent first, since it is the one in the processor's cache.
//
// Loop-owned: call only from its event loop.
type buffers struct {
	free [bufferClasses][][]byte
	kept int // bytes in all lists
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
		return make([]byte, 0, smallestBuffer<<(2*class))
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
	if cap(p) == 0 || class >= bufferClasses || cap(p) != smallestBuffer<<(2*class) || b.kept+cap(p) > freeBytes {
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
	return (bits.Len(uint(n-1)) - 9) / 2
}
