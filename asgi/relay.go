package asgi

import (
	"context"
	"sync"
)

// Runner starts tasks for code that blocks, for example on the workers of an
// executor. It must not block; an error says that the task will not run, and
// ends the exchange it was for. A nil Runner starts a goroutine for each task.
type Runner func(task func()) error

func (r Runner) start(task func()) error {
	if r == nil {
		go task() // ends with its mailbox empty (Serial) or its application returned (Goroutine)
		return nil
	}
	return r(task)
}

// Bounds of what may wait between a loop and code that runs off it. A loop's
// side is paused, an application's side blocks, until there is room again.
const (
	maxRelayEvents = 256
	maxRelayBytes  = 64 << 10
)

// maxPosts bounds the functions that may wait for code that runs off the loop, of
// one exchange: 1.5 MiB of queue. Posters are expected to have their own, smaller
// bounds.
const maxPosts = 1 << 16

// postLimit is maxPosts, or what the engine allows if that is less: it says so
// with a method PostLimit.
func postLimit(x Exchange) int {
	if l, ok := x.(interface{ PostLimit() int }); ok {
		return min(l.PostLimit(), maxPosts)
	}
	return maxPosts
}

// abandoner is code that waits on a loop, perhaps for ever.
type abandoner interface{ Abandon() }

// keeper is an exchange whose engine abandons, when the loop stops, who outlives
// the exchange until it is forgotten. Outlive is false if the loop stops already.
// Both belong to the loop.
type keeper interface {
	Outlive(a interface{ Abandon() }) bool
	Forget(a interface{ Abandon() })
}

func outlive(x Exchange, a abandoner) bool {
	k, ok := x.(keeper)
	return !ok || k.Outlive(a)
}

func forget(x Exchange, a abandoner) {
	if k, ok := x.(keeper); ok {
		k.Forget(a)
	}
}

// PostOwed posts what somebody waits for who has no other way to go on, as a
// result or an answer: x.Post, which an engine refuses when too much waits, would
// lose it. The caller bounds it, at most a few functions for each exchange. It
// reports false if the loop has stopped, and then fn does not run; where x has no
// method PostOwed, as engines and the wrappers of this package have, also if x
// refuses.
//
// Safe for concurrent use.
func PostOwed(x interface{ Post(fn func()) bool }, fn func()) bool {
	if o, ok := x.(interface{ PostOwed(fn func()) bool }); ok {
		return o.PostOwed(fn)
	}
	return x.Post(fn)
}

// relay carries send events from any goroutine to an exchange's loop: many
// events, one post.
//
// Safe for concurrent use.
type relay struct {
	x Exchange

	mu        sync.Mutex
	order     Order
	out       []SendEvent
	outBytes  int
	accepted  uint          // events that were put into out
	handed    uint          // of these, taken out again and given to the exchange
	posted    bool          // a flush is on its way to the loop
	congested bool          // as of the last flush
	gone      bool          // the peer is gone
	ended     bool          // End was called
	failure   error         // of an event that was refused on the loop; sticky
	changed   chan struct{} // closed when a blocked send may look again; nil while nobody waits
}

func (r *relay) send(ctx context.Context, ev SendEvent) error {
	if IsNil(ev) {
		return ErrNilEvent
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case r.failure != nil:
			return r.failure
		case r.order.Complete() || r.ended:
			return nil
		case r.gone:
			return ErrDisconnected
		}
		if !r.congested && r.outBytes < maxRelayBytes && len(r.out) < maxRelayEvents {
			break
		}
		if err := r.wait(ctx); err != nil {
			if r.gone || context.Cause(ctx) == ErrDisconnected { // which is why the application's context is done
				return ErrDisconnected
			}
			return err
		}
	}
	if err := r.order.Send(ev); err != nil {
		return err
	}
	loan := lent(ev, maxRelayBytes)
	if loan != nil {
		r.out = append(r.out, loan)
	} else {
		r.out = append(r.out, cloneImmutable(ev))
	}
	r.outBytes += Size(ev)
	r.accepted++
	if err := r.post(); err != nil {
		return err
	}
	if loan != nil {
		return r.takeBack(ctx)
	}
	if _, ok := ev.(*HTTPResponseZeroCopySend); ok {
		return r.handOver() // the caller may close the file
	}
	return nil
}

// takeBack blocks until the exchange refers no more to the payload that was lent, or
// ctx is done: what is left is copied then.
func (r *relay) takeBack(ctx context.Context) error {
	err := r.handOver()
	for err == nil && r.congested && !r.gone {
		if r.wait(ctx) != nil {
			break
		}
	}
	if r.congested { // the failure may be another event's
		r.reclaim()
	}
	return err
}

// reclaim blocks until the exchange refers to nothing that was lent.
func (r *relay) reclaim() {
	done := false
	posted := PostOwed(r.x, func() {
		r.x.Reclaim()
		r.mu.Lock()
		defer r.mu.Unlock()
		done = true
		r.signal()
	})
	for posted && !done {
		r.wait(context.Background())
	}
}

// handOver blocks until the exchange has seen every accepted event. It heeds no
// context: the loop owes the flush.
func (r *relay) handOver() error {
	for last := r.accepted; r.handed < last; {
		r.wait(context.Background())
	}
	switch {
	case r.failure != nil:
		return r.failure
	case r.gone:
		return ErrDisconnected
	}
	return nil
}

// wait blocks, with the lock released, until something changed or ctx is done.
func (r *relay) wait(ctx context.Context) error {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	changed := r.changed
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *relay) signal() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *relay) post() error {
	if r.posted {
		return nil
	}
	r.posted = true
	if !PostOwed(r.x, r.flush) {
		r.gone = true
		return errLoopStopped
	}
	return nil
}

// flush hands everything that waits to the exchange, on its loop.
func (r *relay) flush() {
	r.mu.Lock()
	out := r.out
	r.out, r.outBytes, r.posted = nil, 0, false
	r.mu.Unlock()

	var failure error
	for _, ev := range out {
		if failure = r.x.Send(ev); failure != nil {
			break
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case failure == ErrDisconnected:
		r.gone = true
	case failure != nil:
		r.failure = failure
	}
	r.handed += uint(len(out))
	r.congested = r.x.Congested()
	r.signal()
}

// observe notes what an event of the engine means for senders, on the loop.
func (r *relay) observe(ev ReceiveEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch ev.(type) {
	case *Writable:
		r.congested = false
	case *HTTPDisconnect, *WebSocketDisconnect:
		// After the last event it means that all is said; whether the peer got it
		// shows when it is handed over.
		r.gone = r.gone || !r.order.Complete()
		r.congested = false // nothing is lent any more
	default:
		return
	}
	r.signal()
}

// end ends the exchange once everything sent before has reached it, and reports
// whether this is the first end.
func (r *relay) end(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.ended = true
	r.signal()
	PostOwed(r.x, func() {
		r.flush()
		if err == nil {
			err = r.failure
		}
		r.x.End(err)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.congested = false // nothing is lent any more, and no event will say so
		r.signal()
	})
	return true
}

// guard runs fn and hands a panic of it to failed as an error. After a Goexit,
// which nothing can stop, failed runs as the goroutine ends.
func guard(fn func(), failed func(error)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		failed(Recovered(recover()))
	}()
	fn()
	returned = true
}
