package server

import (
	"io"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/eventloop"
)

// Serial's mailbox is no larger than the loop's.
func TestPostLimit(t *testing.T) {
	for tasks, want := range map[int]int{64: 64, 0: 1 << 16, -1: 1 << 16} {
		accepted := make(chan int, 1)
		h := asgi.Serial(asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			if scope.Type == asgi.ScopeLifespan {
				x.End(asgi.ErrUnsupportedScope)
				return nil
			}
			n := 0
			for n <= want && x.Post(func() {}) {
				n++
			}
			accepted <- n
			x.End(nil)
			return nil
		}), nil)
		r := run(t, Config{Handler: h, Loop: eventloop.Config{MailboxTasks: tasks}})
		c := r.dial()
		_, err := io.WriteString(c, get)
		must(t, err)
		if n := <-accepted; n != want {
			t.Errorf("MailboxTasks %d: %d posts may wait, want %d", tasks, n, want)
		}
		c.Close()
		must(t, r.end())
	}
}
