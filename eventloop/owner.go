package eventloop

import "github.com/gale-server/gale/eventloop/internal/goroutine"

// checkOwner is set by tests, before the first loop starts.
var checkOwner bool

// AssertOwnership makes every method of every [Conn], [Loop] and [Timer] that
// is loop-owned panic when it is called from a goroutine that does not own the
// loop. It is for tests, to be called before the first loop starts, from
// TestMain.
func AssertOwnership() { checkOwner = true }

// Adopt makes the calling goroutine the loop's owner until the loop's next turn
// begins, or another goroutine adopts it. Whoever switches from the loop to a
// coroutine (iter.Pull) has both sides adopt the loop as they get the control.
// Safe for concurrent use, but only ever right while the loop waits.
func (l *Loop) Adopt() { l.owner.Store(uint64(goroutine.Current())) }

// Owned reports whether the calling goroutine owns the loop. It costs a few
// loads. Safe for concurrent use.
func (l *Loop) Owned() bool { return l.owner.Load() == uint64(goroutine.Current()) }

func (l *Loop) assertOwner() {
	if checkOwner && !l.Owned() {
		panic("eventloop: loop-owned method called from a goroutine that does not own the loop")
	}
}
