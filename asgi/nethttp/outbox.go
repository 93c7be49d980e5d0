package nethttp

import "sync"

// outbox holds what the application has sent until a goroutine has written it.
//
// Safe for concurrent use.
type outbox[T any] struct {
	mu      sync.Mutex
	arrival sync.Cond
	items   []T
	bytes   int  // of the items, and of those being written
	writing bool // a goroutine takes items until there are none
	awaited bool // the loop wants to know when it has drained
	closed  bool // nothing more is written
}

// put appends an item and reports whether a writer is to be started, where one
// exists only while there is something to write.
func (o *outbox[T]) put(item T, bytes int) (start bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.items = append(o.items, item)
	o.bytes += bytes
	if o.arrival.L != nil {
		o.arrival.Signal()
	}
	start = !o.writing
	o.writing = true
	return start
}

// hold keeps put from starting a writer until start.
func (o *outbox[T]) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = true
}

// start ends a hold and reports whether a writer is to be started.
func (o *outbox[T]) start() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = len(o.items) > 0
	return o.writing
}

// take returns all items, or none, and then the caller is no longer the writer.
func (o *outbox[T]) take() []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	items := o.items
	o.items = nil
	o.writing = len(items) > 0
	return items
}

// wait returns all items as soon as there are some.
func (o *outbox[T]) wait() []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrival.L = &o.mu
	for len(o.items) == 0 {
		o.arrival.Wait()
	}
	items := o.items
	o.items = nil
	return items
}

// empty reports whether nothing waits.
func (o *outbox[T]) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items) == 0
}

// wrote takes bytes off the account, and reports whether the loop is to be told
// that the outbox has drained to low.
func (o *outbox[T]) wrote(bytes, low int) (drained bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= bytes
	if o.awaited && o.bytes <= low {
		o.awaited = false
		return true
	}
	return false
}

// above reports whether more than high waits; then wrote will tell of its
// drain.
func (o *outbox[T]) above(high int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.awaited = o.bytes > high
	return o.awaited
}

// close drops what waits, which it returns, and what will come; last is still
// taken.
func (o *outbox[T]) close(last ...T) (dropped []T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	dropped, o.items, o.bytes = o.items, last, 0
	if o.arrival.L != nil {
		o.arrival.Signal()
	}
	return dropped
}

func (o *outbox[T]) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

func (o *outbox[T]) buffered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}
