package asgi_test

import (
	"errors"
	"io"
	"os"
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

// ownExchange is served alone.
type ownExchange struct{ asgi.Exchange }

// A loop of one exchange serves no socket, which it closes.
func TestAttachUnsupported(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = asgi.LoopOf(ownExchange{}).Attach(w, nil)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the file is open: %v", err)
	}
}
