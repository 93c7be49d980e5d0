package nethttp_test

import (
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/nethttp"
)

// As many posts may wait as Config.MailboxTasks says, and what an application
// waits for besides.
func TestMailboxTasks(t *testing.T) {
	for _, bound := range []int{1, 3, 64} {
		h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
			if _, ok := ev.(*asgi.HTTPRequest); !ok {
				return
			}
			ran := 0
			for n := range bound {
				if !x.Post(func() { ran++ }) {
					t.Errorf("post %d of %d was refused", n+1, bound)
				}
			}
			for range 3 {
				if x.Post(func() { t.Error("what was refused runs") }) {
					t.Errorf("more than %d posts may wait", bound)
				}
			}
			x.AfterFunc(0, func() { // a timer is no post
				if ran != bound {
					t.Errorf("%d of %d posts ran", ran, bound)
				}
				if !x.Post(func() { send(t, x, whole("done")...) }) {
					t.Error("a post was refused where there is room again")
				}
			})
		})
		_, r := dial(t, serve(t, nethttp.Config{Handler: h, MailboxTasks: bound}), get)
		if _, body := response(t, r, "GET"); body != "done" {
			t.Errorf("got %q", body)
		}
	}
}

// A timer that comes to its time while the mailbox is full is not lost.
func TestTimerWithAFullMailbox(t *testing.T) {
	h := newEvents(func(x asgi.Exchange, ev asgi.ReceiveEvent) {
		if _, ok := ev.(*asgi.HTTPRequest); !ok {
			return
		}
		for x.Post(func() {}) {
		}
		fired := make(chan struct{})
		go func() { // fills what gets free, until the timer has fired
			for {
				select {
				case <-fired:
					return
				default:
					x.Post(func() {})
				}
			}
		}()
		x.AfterFunc(0, func() {
			close(fired)
			send(t, x, whole("done")...)
		})
	})
	_, r := dial(t, serve(t, nethttp.Config{Handler: h, MailboxTasks: 1}), get)
	if _, body := response(t, r, "GET"); body != "done" {
		t.Errorf("got %q", body)
	}
}
