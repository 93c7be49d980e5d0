package http1

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// largeHead is a head of nearly 64 KiB: of one field that is as long, or of many.
func largeHead(one bool) []byte {
	var b strings.Builder
	b.WriteString("GET /a%20b?c=d HTTP/1.1\r\nHost: h\r\nOrigin: http://o.example\r\n")
	if one {
		fmt.Fprintf(&b, "Cookie: %s\r\n", strings.Repeat("c", 56<<10))
	}
	for i := 0; !one && b.Len() < 56<<10; i++ {
		fmt.Fprintf(&b, "X-%d: %s\r\n", i, strings.Repeat("x", 600))
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// The strings of a large head are those of a small one.
func TestCopyLarge(t *testing.T) {
	for _, one := range []bool{true, false} {
		p := largeHead(one)
		var h Head
		if _, err := New(nil).Next(p, &h); err != nil {
			t.Fatal(err)
		}
		method, path, query, headers := h.Copy(nil)
		if method != "GET" || path != "/a%20b" || query != "c=d" || headers[0] != (asgi.Header{Name: "host", Value: "h"}) ||
			headers[1] != (asgi.Header{Name: "origin", Value: "http://o.example"}) {
			t.Errorf("%s %s %s %v", method, path, query, headers[:2])
		}
		for i, field := range headers[2:] {
			line := fmt.Sprintf("%s: %s\r\n", field.Name, field.Value)
			if !strings.Contains(strings.ToLower(string(p)), line) {
				t.Errorf("field %d is %.60s", i, line)
			}
		}
	}
}

// Who keeps a string of a scope does not keep the whole head.
func TestKeptStringIsSmall(t *testing.T) {
	const heads = 200
	for _, one := range []bool{true, false} {
		p := largeHead(one)
		var h Head
		if _, err := New(nil).Next(p, &h); err != nil {
			t.Fatal(err)
		}
		kept := make([]string, 0, 2*heads)
		before := heapInUse()
		for range heads {
			_, path, _, headers := h.Copy(nil)
			kept = append(kept, path, headers[1].Value)
		}
		if each := (heapInUse() - before) / heads; each > 1024 {
			t.Errorf("a path and an origin keep %d bytes", each)
		}
		runtime.KeepAlive(kept)
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
