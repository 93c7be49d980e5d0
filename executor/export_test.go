package executor

// Wakers returns how many waits a future remembers.
func Wakers(f *Future) int {
	mu := &f.task.class.mu
	mu.Lock()
	defer mu.Unlock()
	return len(f.wakers)
}

// Remembered returns how many contexts and keys a class remembers.
func Remembered(c *Class) (scopes, flights, joined int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.scopes), len(c.flights), c.joined
}
