package asgi_test

import (
	"testing"

	"github.com/gale-server/gale/asgi"
)

// crowded refuses what is not owed.
type crowded struct{}

func (crowded) Post(func()) bool { return false }

func (crowded) PostOwed(fn func()) bool {
	fn()
	return true
}

// halted refuses all.
type halted struct{}

func (halted) Post(func()) bool { return false }

// A mailbox that is full does not lose what is owed; a loop that has stopped says so.
func TestPostOwed(t *testing.T) {
	ran := false
	if !asgi.PostOwed(crowded{}, func() { ran = true }) || !ran {
		t.Error("a full mailbox has lost it")
	}
	if asgi.PostOwed(halted{}, func() { t.Error("it runs") }) {
		t.Error("a stopped loop takes it")
	}
}
