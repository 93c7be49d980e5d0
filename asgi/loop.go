package asgi

import (
	"errors"
	"fmt"
	"os"
)

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

	// Attach has the loop serve a connected stream socket of the program's own, such
	// as one to a process that it has started. It takes file over, and closes it also
	// upon an error. open is called on the loop, with the socket, in a later turn, or
	// never if the loop stops before. With a nil file it only says whether it could.
	//
	// The error wraps errors.ErrUnsupported where a loop serves a single exchange:
	// serve the socket from a goroutine then.
	Attach(file *os.File, open func(Socket) SocketReceiver) error
}

// Socket is a stream of bytes to a process or a server that an application works
// with, served by the loop on which its exchanges are.
//
// Loop-owned: call only from its event loop.
type Socket interface {
	// Write copies p into the outbox, which leaves in one system call at the end of
	// the loop's turn. It never blocks, and the outbox is bounded: who goes on writing
	// while the socket is congested loses it.
	Write(p []byte)

	// Buffered returns the bytes that wait in the outbox.
	Buffered() int

	// Congested reports whether the outbox is above its high watermark: Drained
	// follows when it has come to its low one.
	Congested() bool

	// Schedule has Turn called once at the end of this turn of the loop, before the
	// outbox is flushed: the place to write what the turn has gathered.
	Schedule()

	// Pause stops reading, and the calls of Data, until Resume.
	Pause()
	Resume()

	// Close closes the socket when the outbox is empty, Abort at once. Closed follows.
	Close()
	Abort()
}

// SocketReceiver is who is told what happens to a Socket. Its methods are called on
// the loop, must not block, and are never called from within a method of the Socket.
type SocketReceiver interface {
	// Data delivers what was read. p is valid only during the call.
	Data(p []byte)
	// Drained follows when the socket is congested no more.
	Drained()
	// Turn follows Schedule.
	Turn()
	// Closed is the last call: the socket was closed by us (err is nil), or the other
	// side has closed it, or it is broken.
	Closed(err error)
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

func (l ownLoop) Attach(file *os.File, _ func(Socket) SocketReceiver) error {
	if file != nil {
		_ = file.Close()
	}
	return fmt.Errorf("asgi: a loop of one exchange: %w", errors.ErrUnsupported)
}
