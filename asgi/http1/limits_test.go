package http1

import (
	"fmt"
	"strings"
	"testing"
)

func TestHeadLimits(t *testing.T) {
	get := func(target string, fields ...string) string {
		return "GET " + target + " HTTP/1.1\r\n" + strings.Join(append(fields, "", ""), "\r\n")
	}
	one := func(target string) request {
		return request{line: "GET " + target + " 1", host: "a", fields: "*", ended: true}
	}

	// The whole head, empty line included: 64 octets are in, 65 are not.
	cfg := &Config{MaxHeadBytes: 64}
	fit := get("/", "Host: a", "X: "+strings.Repeat("x", 64-len(get("/", "Host: a", "X: "))))
	if len(fit) != 64 {
		t.Fatal(len(fit))
	}
	accepted(t, cfg, fit, one("/"))
	refused(t, cfg, strings.Replace(fit, "X:", "XX:", 1), 431)
	refused(t, cfg, fit[:60]+"xxxx", 431)   // no line end within the limit
	refused(t, cfg, fit[:60]+"xx\r\n", 431) // no room for the empty line
	waits(t, cfg, fit[:63])                 // still possible
	accepted(t, cfg, "\r\n"+fit, one("/"))  // what is skipped does not count
	refused(t, cfg, strings.Repeat("x", 64), 414)

	// Defaults.
	long := get("/", "Host: a", "X: "+strings.Repeat("x", 64<<10-len(get("/", "Host: a", "X: "))))
	accepted(t, nil, long, one("/"))
	refused(t, nil, strings.Replace(long, "X:", "XX:", 1), 431)

	// The target.
	cfg = &Config{MaxTargetBytes: 10}
	accepted(t, cfg, get("/123456789", "Host: a"), one("/123456789"))
	refused(t, cfg, get("/1234567890", "Host: a"), 414)
	refused(t, cfg, get("/"+strings.Repeat("1", 100), "Host: a"), 414)
	refused(t, cfg, "GET /"+strings.Repeat("1", 100), 414) // before its end is seen
	target := "/" + strings.Repeat("t", 16<<10-1)
	accepted(t, nil, get(target, "Host: a"), one(target))
	refused(t, nil, get(target+"t", "Host: a"), 414)
	// The longest legal method leaves the target its limit.
	method := strings.Repeat("M", maxMethodBytes)
	accepted(t, cfg, method+" /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", request{line: method + " /123456789 1", host: "a", fields: "*", ended: true})

	// The number of fields.
	var fields []string
	for i := range 99 {
		fields = append(fields, fmt.Sprintf("f%d: x", i))
	}
	accepted(t, nil, get("/", append(fields, "Host: a")...), one("/"))
	refused(t, nil, get("/", append(fields, "Host: a", "g: x")...), 431)
	cfg = &Config{MaxFields: 2}
	accepted(t, cfg, get("/", "Host: a", "b: c"), one("/"))
	refused(t, cfg, get("/", "Host: a", "b: c", "d: e"), 431)
	refused(t, cfg, "GET / HTTP/1.1\r\nHost: a\r\nb: c\r\nd: e\r\n", 431) // at the line, not at the end

	// A negative limit is the most there is, not none.
	accepted(t, &Config{MaxHeadBytes: -1, MaxFields: -1, MaxTargetBytes: -1}, get(target+"t", append(fields, "Host: a", "g: x")...), one(target+"t"))
	for _, got := range []int{(&Config{MaxHeadBytes: -1}).maxHead(), (&Config{MaxTargetBytes: 1 << 40}).maxTarget()} {
		if got != ceiling {
			t.Errorf("negative or huge limit is %d", got)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	post := func(n string) string { return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + n + "\r\n\r\n" }
	cfg := &Config{MaxBodyBytes: 5}
	accepted(t, cfg, post("5")+"hello", request{line: "POST / 1", host: "a", fields: "*", body: "hello", ended: true})
	refused(t, cfg, post("6")+"hello!", 413)
	refused(t, nil, post("1073741825"), 413)
	waits(t, nil, post("1073741824"))
	waits(t, &Config{MaxBodyBytes: -1}, post("999999999999999999"))
}

// TestFailFast: what can never become a request is refused at the end of its
// line, not when a timeout runs out.
func TestFailFast(t *testing.T) {
	for _, raw := range []string{
		"GET / HTTP/1.1\n", "GET / HTTP/3.0\r\n", "GET  / HTTP/1.1\r\n", "\x16\x03\x01\n",
		"GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\nHost : a\r\n", "GET / HTTP/1.1\r\n Host: a\r\n",
	} {
		got := runCut(t, nil, atEnd, raw)
		if got.err == nil {
			t.Errorf("%q waits", raw)
		}
	}
}

// TestBuffered: the machine keeps an unfinished head within its limit and
// nothing otherwise.
func TestBuffered(t *testing.T) {
	m := New(&Config{MaxHeadBytes: 1000})
	var h Head
	line := []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nX: ")
	if _, err := m.Next(line, &h); err != nil || m.Buffered() != len(line) || !m.HeadPending() {
		t.Fatal(m.Buffered(), err)
	}
	if ev, err := m.Next([]byte("\r\n\r\n"), &h); err != nil || ev.Kind != Request || m.buf != nil {
		t.Fatal(ev, m.Buffered(), err)
	}
	if ev, err := m.Next(make([]byte, 99999), &h); err != nil || ev.Kind != Body || m.buf != nil || m.BodyDone() {
		t.Fatal(ev.Kind, m.Buffered(), err)
	}
	if ev, err := m.Next(make([]byte, 9), &h); err != nil || ev.Kind != Body || ev.N != 1 || !m.BodyDone() {
		t.Fatal(ev.Kind, ev.N, err)
	}
}
