//go:build !race

// The race detector allocates on its own account.

package websocket

import (
	"testing"

	"github.com/gale-server/gale/asgi"
)

// checkAllocs pins the hot list.
func checkAllocs(t *testing.T, name string, most float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(100, f); got > most {
		t.Errorf("%s: %v allocations, want at most %v", name, got, most)
	}
}

func TestAllocations(t *testing.T) {
	m := New(nil)
	// A zero key leaves the input as it is, so that it can be read again.
	next := func(f sent, piece int) func() {
		in := f.AppendTo(nil, [4]byte{})
		return func() {
			for at := 0; at < len(in); {
				event, err := next(m, in[at:min(at+piece, len(in))])
				if err != nil {
					t.Fatal(err)
				}
				at += event.N
			}
		}
	}
	checkAllocs(t, "text", 0, next(text(repeat("aé", 126)), 200))
	checkAllocs(t, "binary", 0, next(binaryOf(repeat("\xfe", 70000)), 1<<20))
	checkAllocs(t, "ping", 0, next(ping("payload"), 200))
	checkAllocs(t, "empty message byte by byte", 0, next(text(""), 1))
	checkAllocs(t, "ping byte by byte", 1, next(ping("payload"), 1))
	checkAllocs(t, "text byte by byte", 1, next(text(repeat("aé", 126)), 1))
	checkAllocs(t, "4 KiB in two pieces", 1, next(binaryOf(repeat("\xfe", 4096)), 3000))

	dst, p := make([]byte, 0, 8192), []byte(repeat("aé", 4096))
	checkAllocs(t, "AppendMessage", 0, func() { _, _ = m.AppendMessage(dst, Text, p) })
	checkAllocs(t, "AppendMessage to nothing", 1, func() { _, _ = m.AppendMessage(nil, Text, p) })
	checkAllocs(t, "AppendPong", 0, func() { _, _ = m.AppendPong(dst, p[:100]) })
	checkAllocs(t, "AppendHeader", 0, func() { _ = AppendHeader(dst, OpBinary, 1<<20) })

	r := browserRequest()
	headers := make([]asgi.Header, 0, 8)
	checkAllocs(t, "AcceptKey", 1, func() { _ = AcceptKey(sampleKey) })
	checkAllocs(t, "handshake", 1, func() {
		u, err := CheckUpgrade(&r)
		if err != nil {
			t.Fatal(err)
		}
		if headers, err = u.ResponseHeaders(headers[:0], "", nil); err != nil {
			t.Fatal(err)
		}
	})
}
