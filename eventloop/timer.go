package eventloop

import "time"

// Timer runs a function once on its loop. It belongs to the conn or the loop
// that made it; one made by a conn never fires after the conn has ended.
//
// Loop-owned: call only from its event loop.
type Timer struct {
	node       wheelNode
	at         time.Duration // zero: not running
	loop       *Loop
	conn       *socket // nil: the timer belongs to the loop
	next, prev *Timer  // the running timers of conn
	fn         func()
}

func (t *Timer) due() time.Duration { return t.at }

// Stop keeps the timer from firing and reports whether it was running.
func (t *Timer) Stop() bool {
	t.loop.assertOwner()
	if t.at == 0 {
		return false
	}
	t.loop.wheel.remove(&t.node)
	t.idle()
	return true
}

// Reset has the timer fire d from now, whether it is running, was stopped or
// has fired, and reports whether it was running. It does nothing after the
// conn has ended.
func (t *Timer) Reset(d time.Duration) bool {
	t.loop.assertOwner()
	running := t.at != 0
	if t.conn != nil && t.conn.phase == ended {
		return running
	}
	if !running {
		t.link()
	}
	t.at = t.loop.after(d)
	t.loop.wheel.file(&t.node, t.at)
	return running
}

// link adds t to the running timers of its conn.
func (t *Timer) link() {
	if t.conn == nil {
		return
	}
	t.next = t.conn.timers
	if t.next != nil {
		t.next.prev = t
	}
	t.conn.timers = t
}

// idle marks t as not running. The wheel has let go of it.
func (t *Timer) idle() {
	t.at = 0
	if t.conn == nil {
		return
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		t.conn.timers = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}

// newTimer starts a timer; conn is nil for one of the loop.
func (l *Loop) newTimer(conn *socket, d time.Duration, fn func()) *Timer {
	t := &Timer{loop: l, conn: conn, fn: fn}
	t.node.owner = t
	t.Reset(d)
	return t
}
