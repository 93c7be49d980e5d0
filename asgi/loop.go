package asgi

// Loop is where exchanges are served: of what runs on one loop, nothing runs at
// the same time as anything else. Loops are comparable, and exchanges with equal
// Loops share one, so that a single post serves many of them.
//
// Safe for concurrent use.
type Loop interface {
	// Post runs fn on the loop, in the order of the posts of one goroutine; it
	// never blocks. fn may use every exchange of the loop. It is taken even if
	// as much waits as the engine allows for Exchange.Post: the caller bounds its
	// posts, for example to one at a time. It reports false if the loop has
	// stopped, and then fn does not run.
	Post(fn func()) bool
}

// LoopOf returns the loop that x is served on. Where an engine serves every
// exchange apart, or code runs off the loop ([Serial], [Goroutine]), each
// exchange has one of its own.
func LoopOf(x Exchange) Loop {
	if l, ok := x.(interface{ Loop() Loop }); ok { // an engine's, whose exchanges share theirs
		return l.Loop()
	}
	return ownLoop{x}
}

// ownLoop is the loop of a single exchange.
type ownLoop struct{ x Exchange }

func (l ownLoop) Post(fn func()) bool { return PostOwed(l.x, fn) }
