package chat

import (
	"slices"
	"sync"
)

// outbox is what waits for a member's loop. Frames are put in by whoever
// publishes, in the order of the room, and taken out by the loop.
//
// Safe for concurrent use.
type outbox struct {
	post func() bool // asks the loop to empty the outbox

	mu      sync.Mutex
	frames  [][]byte
	first   int // frames before it are taken
	bytes   int
	awaited bool // the loop will look, unasked
	shut    bool
}

// keepFrames is the capacity an empty outbox keeps, so that an idle member
// stays small and a busy one does not allocate.
const keepFrames = 4

// put appends a frame, which is shared and not copied. It reports false when
// maxBytes would be passed; the outbox is then shut. One frame always fits.
func (o *outbox) put(frame []byte, maxBytes int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return true // nothing more is wanted, or somebody was told already
	}
	if o.bytes > 0 && o.bytes+len(frame) > maxBytes {
		o.drop()
		return false
	}
	if o.first > 0 && len(o.frames) == cap(o.frames) {
		o.frames = slices.Delete(o.frames, 0, o.first) // no growth for what is taken
		o.first = 0
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
	if !o.awaited {
		o.awaited = o.post()
	}
	return true
}

// hold says that the loop will empty the outbox without being asked.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.awaited = true
}

// take removes the first frame. When there is none, the loop has to be asked
// from then on.
func (o *outbox) take() (frame []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first == len(o.frames) {
		o.first, o.awaited = 0, false
		if o.frames = o.frames[:0]; cap(o.frames) > keepFrames {
			o.frames = nil
		}
		return nil, false
	}
	frame = o.frames[o.first]
	o.frames[o.first] = nil
	o.first++
	o.bytes -= len(frame)
	return frame, true
}

// shutDown drops what waits and takes nothing more.
func (o *outbox) shutDown() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop()
}

func (o *outbox) drop() {
	o.frames, o.first, o.bytes, o.shut = nil, 0, 0, true
}
