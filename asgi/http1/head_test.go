package http1

import (
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

func parse(t testing.TB, raw string) *Head {
	t.Helper()
	var h Head
	ev, err := New(nil).Next([]byte(raw), &h)
	if err != nil || ev.Kind != Request || ev.N != len(raw) {
		t.Fatalf("%q: %v %v", raw, ev, err)
	}
	return &h
}

func TestHeadTarget(t *testing.T) {
	for _, tt := range []struct{ raw, path, query, host, fields string }{
		{"GET /a/b?c=d HTTP/1.1\r\nHost: h\r\n\r\n", "/a/b", "c=d", "h", "host=h"},
		{"GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "b?c", "h", "host=h"},
		{"GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "/", "", "h", "host=h"},
		{"GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", "//a//b", "", "h", "host=h"},
		{"GET /%2F%41 HTTP/1.1\r\nHost: h\r\n\r\n", "/%2F%41", "", "h", "host=h"},
		{"GET / HTTP/1.0\r\n\r\n", "/", "", "", ""},
		// The target's authority replaces Host: RFC 9112 §3.2.2.
		{"GET http://t:1/a?b HTTP/1.1\r\nX: y\r\nHost: h\r\n\r\n", "/a", "b", "t:1", "x=y|host=t:1"},
		{"GET http://t HTTP/1.1\r\nHost: h\r\n\r\n", "/", "", "t", "host=t"},
		{"GET http://t?b HTTP/1.1\r\nHost: h\r\n\r\n", "/", "b", "t", "host=t"},
		{"GET http://t/ HTTP/1.0\r\nX: y\r\n\r\n", "/", "", "t", "host=t|x=y"},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", "", "h", "host=h"},
		{"OPTIONS http://t HTTP/1.1\r\nHost: h\r\n\r\n", "*", "", "t", "host=t"}, // RFC 9112 §3.2.4
		{"OPTIONS http://t?a HTTP/1.1\r\nHost: h\r\n\r\n", "/", "a", "t", "host=t"},
		{"OPTIONS http://t/ HTTP/1.1\r\nHost: h\r\n\r\n", "/", "", "t", "host=t"},
		{"CONNECT t:443 HTTP/1.1\r\nHost: h\r\n\r\n", "", "", "t:443", "host=t:443"},
	} {
		h := parse(t, tt.raw)
		method, path, query, headers := h.Copy(nil)
		if path != tt.path || query != tt.query || join(headers) != tt.fields || method != string(h.Method()) {
			t.Errorf("%q: copy is %q %q %q %q", tt.raw, method, path, query, join(headers))
		}
		if string(h.RawPath()) != tt.path || string(h.Query()) != tt.query || string(h.Host()) != tt.host {
			t.Errorf("%q: head has %q %q %q", tt.raw, h.RawPath(), h.Query(), h.Host())
		}
		if got, err := CheckTarget(method, string(h.Target()), nil); err != nil || got != tt.path {
			t.Errorf("%q: CheckTarget says %q, %v", tt.raw, got, err)
		}
	}
}

// A server that has the request line from elsewhere hears of the same faults.
func TestCheckTarget(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		want           *Error
	}{
		{strings.Repeat("M", maxMethodBytes+1), "/", errMethodLimit},
		{"GET", "", errRequestLine},
		{"GET", "/" + strings.Repeat("x", 16), errTargetLimit},
		{"GET", "/a#b", errTarget},
		{"GET", "*", errTargetForm},
		{"GET", "/%zz", errEscape},
		{"GET", "http://u@h/", errAuthority},
		{"CONNECT", "h", errAuthority},
	} {
		if _, err := CheckTarget(tt.method, tt.target, &Config{MaxTargetBytes: 16}); err != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.method, tt.target, err, tt.want)
		}
	}
	for host, want := range map[string]error{"": nil, "h:80": nil, "u@h": errHost, "h,h": errHost} {
		if err := CheckHost(host); err != want {
			t.Errorf("host %q: %v", host, err)
		}
	}
}

func TestHeadCopy(t *testing.T) {
	raw := []byte("GeT /A?B HTTP/1.1\r\nHOST: H\r\nX-Y: \t Z z \r\nx-y:\r\n\r\n")
	var h Head
	if _, err := New(nil).Next(raw, &h); err != nil {
		t.Fatal(err)
	}
	dst := []asgi.Header{{Name: "before"}}
	method, path, query, headers := h.Copy(dst)
	clear(raw) // the copy outlives the octets
	if method != "GeT" || path != "/A" || query != "B" || join(headers) != "before=|host=H|x-y=Z z|x-y=" {
		t.Errorf("%q %q %q %q", method, path, query, join(headers))
	}
}

func TestHeadFields(t *testing.T) {
	h := parse(t, "GET / HTTP/1.1\r\nHost: h\r\nX-Y:  z\r\nx-y: w\r\nConnection: a, Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if n := h.NumFields(); n != 5 {
		t.Errorf("%d fields", n)
	}
	if name, value := h.Field(1); string(name) != "X-Y" || string(value) != "z" {
		t.Errorf("field 1 is %q %q", name, value)
	}
	if v, ok := h.Lookup("x-y"); !ok || string(v) != "z" {
		t.Errorf("lookup gives %q %t", v, ok)
	}
	if v, ok := h.Lookup("x"); ok {
		t.Errorf("lookup gives %q", v)
	}
	if !h.ConnectionHas("a") || !h.ConnectionHas("upgrade") || h.ConnectionHas("close") {
		t.Error("connection options")
	}
}

func TestHeadFlags(t *testing.T) {
	const upgrade = "Upgrade: websocket\r\n"
	type flags struct {
		keepAlive, expect, trailers, upgrade, chunked bool
		length                                        int64
	}
	for _, tt := range []struct {
		version, fields string
		want            flags
	}{
		// https://www.rfc-editor.org/rfc/rfc9112#section-9.3
		{"1.1", "", flags{keepAlive: true, length: -1}},
		{"1.1", "Connection: close\r\n", flags{length: -1}},
		{"1.1", "Connection: CLOSE\r\n", flags{length: -1}},
		{"1.1", "Connection: x , close\t,y\r\n", flags{length: -1}},
		{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", flags{length: -1}},
		{"1.1", "Connection: closed\r\n", flags{keepAlive: true, length: -1}},
		{"1.0", "", flags{length: -1}},
		{"1.0", "Connection: Keep-Alive\r\n", flags{keepAlive: true, length: -1}},
		{"1.0", "Connection: keep-alive, close\r\n", flags{length: -1}},
		{"1.0", "Keep-Alive: 300\r\n", flags{length: -1}},
		// https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
		{"1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", flags{keepAlive: true, expect: true, length: 1}},
		{"1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", flags{keepAlive: true, expect: true, chunked: true, length: -1}},
		{"1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", flags{keepAlive: true}},
		{"1.1", "Expect: 100-continue\r\n", flags{keepAlive: true, length: -1}},
		{"1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", flags{length: 1}},
		// https://www.rfc-editor.org/rfc/rfc9110#section-10.1.4
		{"1.1", "TE: trailers\r\n", flags{keepAlive: true, trailers: true, length: -1}},
		{"1.1", "TE: gzip;q=0.5, Trailers\r\n", flags{keepAlive: true, trailers: true, length: -1}},
		{"1.1", "TE: gzip\r\nX: trailers\r\n", flags{keepAlive: true, length: -1}},
		// https://www.rfc-editor.org/rfc/rfc9110#section-7.8
		{"1.1", upgrade + "Connection: Upgrade\r\n", flags{keepAlive: true, upgrade: true, length: -1}},
		{"1.1", upgrade + "Connection: keep-alive, Upgrade\r\n", flags{keepAlive: true, upgrade: true, length: -1}},
		{"1.1", upgrade + "Connection: Upgrade\r\nContent-Length: 0\r\n", flags{keepAlive: true, upgrade: true}},
		{"1.1", upgrade, flags{keepAlive: true, length: -1}},
		{"1.1", "Connection: Upgrade\r\n", flags{keepAlive: true, length: -1}},
		{"1.0", upgrade + "Connection: keep-alive, Upgrade\r\n", flags{keepAlive: true, length: -1}},
		{"1.1", upgrade + "Connection: Upgrade\r\nContent-Length: 1\r\n", flags{keepAlive: true, length: 1}},
		{"1.1", upgrade + "Connection: Upgrade\r\nTransfer-Encoding: chunked\r\n", flags{keepAlive: true, chunked: true, length: -1}},
	} {
		h := parse(t, "GET / HTTP/"+tt.version+"\r\nHost: h\r\n"+tt.fields+"\r\n")
		n, _ := h.ContentLength()
		got := flags{h.KeepAlive(), h.ExpectContinue(), h.AcceptsTrailers(), h.Upgrade() != nil, h.Chunked(), n}
		if got != tt.want {
			t.Errorf("%s %q: %+v, want %+v", tt.version, tt.fields, got, tt.want)
		}
		if h.HasBody() != (n > 0 || h.Chunked()) {
			t.Errorf("%s %q: body %t", tt.version, tt.fields, h.HasBody())
		}
	}
}
