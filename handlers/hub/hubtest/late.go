package hubtest

import (
	"sync"

	"github.com/gale-server/gale/handlers/hub"
)

// Late is a broker that answers when it is told to, as one does that asks other
// processes.
//
// Safe for concurrent use.
type Late struct {
	hub.Broker

	// Fails, if not nil, is asked for each Read and Watch whether it fails, and with
	// what.
	Fails func() error

	mu      sync.Mutex
	answers []func()
}

// Answer answers one of what waits, chosen by pick of how many there are, and
// reports whether there was one.
func (l *Late) Answer(pick func(n int) int) bool {
	l.mu.Lock()
	if len(l.answers) == 0 {
		l.mu.Unlock()
		return false
	}
	i := pick(len(l.answers))
	answer := l.answers[i]
	l.answers = append(l.answers[:i], l.answers[i+1:]...)
	l.mu.Unlock()
	answer()
	return true
}

func (l *Late) later(answer func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, answer)
}

func (l *Late) failure() error {
	if l.Fails == nil {
		return nil
	}
	return l.Fails()
}

// Publish implements [hub.Broker]. It is done now, and answered late.
func (l *Late) Publish(batch []hub.Publication, done func([]hub.Result)) {
	l.Broker.Publish(batch, func(r []hub.Result) { l.later(func() { done(r) }) })
}

// Read implements [hub.Broker]. It is done now, and answered late.
func (l *Late) Read(channel string, after hub.Position, limit hub.Limit, done func(hub.History, error)) {
	if err := l.failure(); err != nil {
		l.later(func() { done(hub.History{}, err) })
		return
	}
	l.Broker.Read(channel, after, limit, func(h hub.History, err error) { l.later(func() { done(h, err) }) })
}

// Watch implements [hub.Broker]. It is done late.
func (l *Late) Watch(channel string, done func(error)) {
	if err := l.failure(); err != nil {
		l.later(func() { done(err) })
		return
	}
	l.later(func() { l.Broker.Watch(channel, done) })
}

// Members implements [hub.Broker]. It is done now, and answered late.
func (l *Late) Members(channel string, limit int, done func([]hub.Member, int, error)) {
	l.Broker.Members(channel, limit, func(members []hub.Member, total int, err error) {
		l.later(func() { done(members, total, err) })
	})
}
