package eventloop

import (
	"math"
	"math/bits"
	"time"
)

const (
	// tickShift makes a tick 2^23 ns = 8.4 ms: fine enough for protocol
	// timeouts, and at most 119 wake-ups a second however many timers there are.
	tickShift = 23
	// wheelSlots ticks are one rotation, 34 s. A later instant stays in its slot
	// and is looked at once per rotation.
	wheelSlots = 4096
	// takenList holds the nodes of a slot that is being visited.
	takenList = wheelSlots
	never     = math.MaxInt64
)

// timed is what a wheel holds: a conn or a timer.
type timed interface {
	// due is when it waits for, in the time of its loop; zero if for nothing.
	due() time.Duration
}

// wheelNode is the part of a timed that the wheel links. Its zero value is
// not filed.
type wheelNode struct {
	next, prev *wheelNode
	owner      timed
	tick       int64
	list       int32 // index of its list plus one; zero when not filed
}

// wheel is a hashed timing wheel with lazy deadlines: a node is filed under
// the due time it had once, and looked at when that comes. Moving a due time
// later therefore costs the wheel nothing. Time is an input: a wheel reads no
// clock. The zero value is an empty wheel at time zero.
//
// Loop-owned: call only from its event loop.
type wheel struct {
	lists    [wheelSlots + 1]*wheelNode
	occupied [wheelSlots / 64]uint64
	cursor   int64 // every tick up to this one has been visited
	soonest  int64 // no list before this tick needs a visit; never if empty; zero: unknown
}

// file sees to it that n is visited at due or earlier.
func (w *wheel) file(n *wheelNode, due time.Duration) {
	tick := max(int64(due+(1<<tickShift-1))>>tickShift, w.cursor+1)
	if n.list != 0 {
		if n.tick <= tick {
			return // also right for a node being visited: pop files it again
		}
		w.remove(n)
	}
	n.tick = tick
	w.push(n, int32(tick%wheelSlots))
	if w.soonest == 0 || tick < w.soonest {
		w.soonest = tick
	}
}

// remove takes n out of the wheel; a no-op if it is not filed.
func (w *wheel) remove(n *wheelNode) {
	if n.list == 0 {
		return
	}
	list := n.list - 1
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		w.lists[list] = n.next
		if n.next == nil && list != takenList {
			w.occupied[list/64] &^= 1 << (list % 64)
		}
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.next, n.prev, n.list = nil, nil, 0
}

func (w *wheel) push(n *wheelNode, list int32) {
	n.list = list + 1
	n.next = w.lists[list]
	if n.next != nil {
		n.next.prev = n
	}
	w.lists[list] = n
	if list != takenList {
		w.occupied[list/64] |= 1 << (list % 64)
	}
}

// pop returns an owner that is due at now, taken out of the wheel; nil if there
// is none. Others that it meets are filed again or, if they wait for nothing
// any more, dropped.
func (w *wheel) pop(now time.Duration) timed {
	for {
		for w.lists[takenList] != nil {
			n := w.lists[takenList]
			w.remove(n)
			switch due := n.owner.due(); {
			case due == 0:
			case due <= now:
				return n.owner
			default:
				w.file(n, due)
			}
		}
		if !w.take(int64(now) >> tickShift) {
			return nil
		}
	}
}

// take moves the nodes of the next occupied slot up to tick to the taken list;
// false if there is none.
func (w *wheel) take(tick int64) bool {
	w.cursor = max(w.cursor, tick-wheelSlots)
	next := w.next()
	if next > tick {
		w.cursor = max(w.cursor, tick)
		w.soonest = next
		return false
	}
	w.cursor = next
	slot := int32(next % wheelSlots)
	for n := w.lists[slot]; n != nil; n = w.lists[slot] {
		w.remove(n)
		w.push(n, takenList)
	}
	return true
}

// next is the first tick after the cursor whose slot is occupied.
func (w *wheel) next() int64 {
	first := (w.cursor + 1) % wheelSlots
	for i := int64(0); i <= wheelSlots/64; i++ {
		word := (first/64 + i) % (wheelSlots / 64)
		set := w.occupied[word]
		if i == 0 {
			set &= ^uint64(0) << (first % 64) // the rest of this word comes last
		}
		if set != 0 {
			slot := word*64 + int64(bits.TrailingZeros64(set))
			return w.cursor + 1 + (slot-first+wheelSlots)%wheelSlots
		}
	}
	return never
}

// instant is the time at which tick is visited.
func instant(tick int64) time.Duration { return time.Duration(tick << tickShift) }
