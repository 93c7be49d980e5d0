package asgi

import "sync"

// inbox holds what waits for code that runs off the loop: receive events, and
// functions posted to it. Above its bounds the exchange is paused.
//
// Safe for concurrent use.
type inbox struct {
	x Exchange

	mu     sync.Mutex
	items  []item
	bytes  int
	paused bool // by the inbox; a pause by the handler counts apart
	held   bool // by the handler
}

// item is an event or a function.
type item struct {
	ev ReceiveEvent
	fn func()
}

// keepItems is the capacity an empty inbox keeps: an idle connection costs no
// more than this.
const keepItems = 2

// put appends an item and reports whether the inbox was empty.
func (b *inbox) put(it item) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = len(b.items) == 0
	b.items = append(b.items, it)
	if it.ev != nil {
		b.bytes += Size(it.ev)
	}
	if !b.paused && (len(b.items) >= maxRelayEvents || b.bytes >= maxRelayBytes) {
		b.paused = true
		b.apply()
	}
	return first
}

// get returns the first item without removing it.
func (b *inbox) get() (it item, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		return item{}, false
	}
	return b.items[0], true
}

// drop removes the first item and reports whether more wait.
func (b *inbox) drop() (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ev := b.items[0].ev; ev != nil {
		b.bytes -= Size(ev)
	}
	b.items[0] = item{}
	if len(b.items) > 1 {
		b.items = b.items[1:]
	} else if cap(b.items) > keepItems {
		b.items = nil
	} else {
		b.items = b.items[:0]
	}
	if b.paused && len(b.items) < maxRelayEvents/2 && b.bytes < maxRelayBytes/2 {
		b.paused = false
		b.apply()
	}
	return len(b.items) > 0
}

// hold and release are the handler's own Pause and Resume.
func (b *inbox) hold()    { b.setHeld(true) }
func (b *inbox) release() { b.setHeld(false) }

func (b *inbox) setHeld(held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held != held {
		b.held = held
		b.apply()
	}
}

// apply tells the exchange whether to deliver: at once on its loop, so that one
// turn's events cannot pass the bounds, else by a post.
func (b *inbox) apply() {
	if b.x.Owned() {
		b.switchDelivery()
		return
	}
	b.x.Post(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.switchDelivery()
	})
}

func (b *inbox) switchDelivery() {
	if b.paused || b.held {
		b.x.Pause()
	} else {
		b.x.Resume()
	}
}
