package server

// survivors are the applications of a loop that go on after their exchange, suspended
// perhaps for ever: in an Await that heeds no disconnect. They have until the loop
// stops.
//
// Loop-owned: call only from its event loop.
type survivors struct {
	waiting map[interface{ Abandon() }]struct{}
	stopped bool
}

// stop has everybody come to an end.
func (l *survivors) stop() {
	l.stopped = true
	for a := range l.waiting {
		a.Abandon()
	}
}

// Outlive is what the adapters of package asgi look for.
func (x *exchange) Outlive(a interface{ Abandon() }) bool {
	l := &x.c.w.late
	if l.stopped {
		return false
	}
	if l.waiting == nil {
		l.waiting = map[interface{ Abandon() }]struct{}{}
	}
	l.waiting[a] = struct{}{}
	return true
}

// Forget ends Outlive.
func (x *exchange) Forget(a interface{ Abandon() }) { delete(x.c.w.late.waiting, a) }
