package asgi

import "sync"

// inbox holds what waits for code that runs off the loop: receive events, and
// functions posted to it. Above its bounds the exchange is paused.
//
// Safe for concurrent use.
type inbox struct {
	x Exchange

	mu    sync.Mutex
	items []item
	bytes int32
	posts int32 // functions among items
	limit int32 // of posts that are not owed
	busy  bool  // somebody takes until nothing is left; whoever puts need not care
	full  bool  // above the bounds
	held  bool  // by Pause: data stays where it is
	shut  bool  // the application does not receive yet, and its client waits for 100 (Continue)
}

// item is an event or a function; one with both is a function that is held back
// as the event would be.
type item struct {
	ev ReceiveEvent
	fn func()
}

// data reports whether a pause holds the item back.
func (it item) data() bool {
	switch it.ev.(type) {
	case *HTTPRequest, *WebSocketReceive:
		return true
	}
	return false
}

// last reports whether no event follows the item.
func (it item) last() bool {
	switch it.ev.(type) {
	case *HTTPDisconnect, *WebSocketDisconnect:
		return true
	}
	return false
}

// keepItems is the capacity an empty inbox keeps: an idle connection costs no
// more than this.
const keepItems = 2

// put appends an item and reports whether the caller must start a taker.
func (b *inbox) put(it item) (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.push(it)
}

// offer is put for a function, unless too many of them wait.
func (b *inbox) offer(fn func()) (accepted, start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.posts >= b.limit {
		return false, false
	}
	return true, b.push(item{fn: fn})
}

func (b *inbox) push(it item) (start bool) {
	b.items = append(b.items, it)
	if it.ev != nil {
		b.bytes += int32(Size(it.ev))
	} else {
		b.posts++
	}
	if !b.full && (len(b.items) >= maxRelayEvents || b.bytes >= maxRelayBytes) {
		b.full = true
		b.apply()
	}
	return b.claim()
}

// claim makes the caller the taker if there is work and no taker.
func (b *inbox) claim() bool {
	if b.busy || b.first() < 0 {
		return false
	}
	b.busy = true
	return true
}

// first returns the index of the first item that may be taken, or -1.
func (b *inbox) first() int {
	for i, it := range b.items {
		if !b.held || !it.data() {
			return i
		}
	}
	return -1
}

// take removes the first item that may be handled. When there is none, the
// caller is no longer the taker.
func (b *inbox) take() (it item, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.first()
	if i < 0 {
		b.busy = false
		return item{}, false
	}
	it = b.items[i]
	b.remove(i)
	if it.last() {
		b.dropEvents() // only a pause has let the last one pass others
	}
	if b.full && len(b.items) < maxRelayEvents/2 && b.bytes < maxRelayBytes/2 {
		b.full = false
		b.apply()
	}
	return it, true
}

func (b *inbox) remove(i int) {
	if ev := b.items[i].ev; ev != nil {
		b.bytes -= int32(Size(ev))
	} else {
		b.posts--
	}
	copy(b.items[1:i+1], b.items[:i])
	b.items[0] = item{}
	switch {
	case len(b.items) > 1:
		b.items = b.items[1:]
	case cap(b.items) > keepItems:
		b.items = nil
	default:
		b.items = b.items[:0]
	}
}

func (b *inbox) dropEvents() {
	kept := b.items[:0]
	for _, it := range b.items {
		if it.ev == nil {
			kept = append(kept, it)
		}
	}
	clear(b.items[len(kept):])
	b.items, b.bytes = kept, 0
}

// idle reports whether nothing waits and nothing is being handled.
func (b *inbox) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.busy && len(b.items) == 0
}

// hold and release are the application's own Pause and Resume. release reports
// whether the caller must start a taker.
func (b *inbox) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.held {
		b.held = true
		b.apply()
	}
}

func (b *inbox) release() (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held {
		b.held = false
		b.apply()
	}
	return b.claim()
}

// shutFor keeps the exchange from reading until open is called, if its client
// waits for the application to ask for the body (RFC 9110 section 10.1.1).
func (b *inbox) shutFor(scope *Scope) {
	if _, expects := scope.Header("expect"); expects {
		b.shut = true
		b.x.Pause()
	}
}

func (b *inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		b.shut = false
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
	PostOwed(b.x, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.switchDelivery()
	})
}

func (b *inbox) switchDelivery() {
	if b.full || b.held || b.shut {
		b.x.Pause()
	} else {
		b.x.Resume()
	}
}
