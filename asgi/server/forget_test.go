package server

import (
	"runtime"
	"testing"
	"unsafe"
	"weak"

	"github.com/gale-server/gale/asgi"
)

// A request that waits for its answer keeps nothing of what was asked that the
// application does not keep.
func TestWaitingExchangeForgetsTheRequest(t *testing.T) {
	var scope weak.Pointer[asgi.Scope]
	var path weak.Pointer[byte]
	var x asgi.Exchange
	b := newBench(t, Config{Handler: asgi.HandlerFunc(func(s *asgi.Scope, of asgi.Exchange) asgi.Receiver {
		scope, x = weak.Make(s), of
		path = weak.Make(unsafe.StringData(s.RawPath))
		return asgi.ReceiverFunc(func(asgi.ReceiveEvent) {})
	})})
	c := b.dial()
	c.Feed(get)
	b.Run()
	runtime.GC()
	if scope.Value() != nil {
		t.Error("the scope is still there")
	}
	if path.Value() != nil {
		t.Error("the head is still there")
	}
	respond(t, x, 200, "late")
	b.Run()
	wantStatus(t, c.Output(), "200")
}
