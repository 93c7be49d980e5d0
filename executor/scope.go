package executor

import "context"

// scope is the futures of one class that end with the same context: a
// connection's. However many they are, the context knows one function of theirs.
// The class's lock guards it.
type scope struct {
	done    <-chan struct{}
	futures []*Future
	stop    func() bool
}

// follow lets the future fail when ctx is done.
func (c *Class) follow(ctx context.Context, f *Future) {
	done := ctx.Done()
	if done == nil {
		return
	}
	s := c.scopes[done]
	if s == nil {
		s = &scope{done: done}
		s.stop = context.AfterFunc(ctx, func() { c.leave(s, context.Cause(ctx)) })
		c.scopes[done] = s
	}
	f.scope, f.place = s, len(s.futures)
	s.futures = append(s.futures, f)
}

// unfollow takes a future out of its scope. The last one leaves the scope's stop
// behind, which is to be called without the class's lock.
func (c *Class) unfollow(f *Future) (stop func() bool) {
	s := f.scope
	if s == nil {
		return nil
	}
	last := len(s.futures) - 1
	s.futures[f.place] = s.futures[last]
	s.futures[f.place].place = f.place
	s.futures[last] = nil
	s.futures = s.futures[:last]
	f.scope = nil
	if last > 0 {
		return nil
	}
	if c.scopes[s.done] == s {
		delete(c.scopes, s.done)
	}
	return s.stop
}

// leave fails all futures of a scope whose context is done.
func (c *Class) leave(s *scope, cause error) {
	var settled batch
	c.mu.Lock()
	for len(s.futures) > 0 {
		c.detach(s.futures[len(s.futures)-1], cause, &settled)
	}
	c.mu.Unlock()
	settled.deliver(c)
}
