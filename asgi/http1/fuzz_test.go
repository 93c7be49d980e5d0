package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// seeds are streams of every kind of framing, good and bad.
var seeds = []string{
	get, getOldKA + getOld, head, askWS + "\x81\x80", askConnect,
	"\r\nPOST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get,
	"POST http://b:80/a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n" + get,
	"OPTIONS * HTTP/1.1\r\nHost: [::1]:1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0_2e\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
}

// FuzzSplit: whatever the octets, the machine does not panic, keeps to its
// bounds (see driver.check), and amounts to the same however they are cut and
// whenever the application answers.
func FuzzSplit(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), uint16(i), uint16(3*i), byte(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, i, j uint16, mode byte) {
		if len(raw) > 4096 {
			return
		}
		cfg := &Config{}
		if mode&4 != 0 { // limits that such inputs reach
			cfg = &Config{MaxHeadBytes: 90, MaxTargetBytes: 12, MaxFields: 3, MaxTrailerBytes: 20,
				MaxChunkExtensionBytes: 6, MaxBodyExtensionBytes: 9, MaxBodyBytes: 20, MaxDrainBytes: 15}
		}
		a := answer(mode & 3 % 3)
		whole := run(t, cfg, a, raw).String()
		x, y := int(i)%(len(raw)+1), int(j)%(len(raw)+1)
		if x > y {
			x, y = y, x
		}
		for _, parts := range [][][]byte{octetByOctet(raw), cut(raw, x, x, y)} {
			if got := run(t, cfg, a, parts...).String(); got != whole {
				t.Fatalf("%q cut at %d and %d, or in octets, amounts to\n%s\nwhole to\n%s", raw, x, y, got, whole)
			}
		}
	})
}

// FuzzNetHTTP: what the machine accepts, net/http accepts and frames the same.
func FuzzNetHTTP(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) <= 8192 {
			agree(t, raw)
		}
	})
}

// FuzzHead: what surrounds the fields of an otherwise good head, so that the
// fuzzer need not find one. Copy and the accessors are run by the driver.
func FuzzHead(f *testing.F) {
	f.Add("GET", "/", "1.1", "X: y")
	f.Add("OPTIONS", "http://a?b", "1.0", "Connection: close, upgrade\r\nUpgrade: a")
	f.Add("CONNECT", "[::1:2.3.4.5]:1", "1.1", "TE: trailers")
	f.Add("POST", "/%41?%", "1.1", "Content-Length: 3")
	f.Fuzz(func(t *testing.T, method, target, version, field string) {
		raw := []byte(method + " " + target + " HTTP/" + version + "\r\nHost: a\r\n" + field + "\r\n\r\nabc")
		if len(raw) > 8192 {
			return
		}
		agree(t, raw)
		whole := run(t, nil, atEnd, raw).String()
		if got := run(t, nil, atEnd, octetByOctet(raw)...).String(); got != whole {
			t.Fatalf("%q in octets amounts to\n%s\nwhole to\n%s", raw, got, whole)
		}
	})
}

// FuzzResponse: whatever an application sends, the response is refused without
// a trace or is one response that net/http reads back, with the body sent.
func FuzzResponse(f *testing.F) {
	f.Add(200, "content-type", "text/plain", "content-length", "3", "abc", "d", int64(-1), byte(0))
	f.Add(304, "etag", "x", "connection", "close", "", "", int64(0), byte(1))
	f.Add(205, "transfer-encoding", "gzip", "trailer", "x", "a", "b", int64(2), byte(2))
	f.Add(426, "upgrade", "a\r\nb: c", "", "\x00", "a", "b", int64(2), byte(7))
	f.Fuzz(func(t *testing.T, status int, n1, v1, n2, v2, p1, p2 string, bodyBytes int64, mode byte) {
		ask := []string{get, head, getOld, getOldKA, getTE, getClose, askConnect, askWS}[mode&7]
		m := asked(t, ask)
		r := Response{Status: status, BodyBytes: bodyBytes, Trailers: mode&8 != 0,
			Headers: []asgi.Header{{Name: n1, Value: v1}, {Name: n2, Value: v2}}}
		out, err := m.AppendStart([]byte("before"), &r)
		if err != nil {
			if string(out) != "before" || m.out != outHead {
				t.Fatalf("%q after %v", out, err)
			}
			return
		}
		out = bytes.TrimPrefix(out, []byte("before"))
		sent := ""
		if next, err := m.AppendBody(out, []byte(p1)); err == nil {
			out, sent = next, p1
		}
		if next, err := m.AppendLastBody(out, []byte(p2)); err == nil {
			out, sent = next, sent+p2
		}
		if m.out == outTrailers {
			out = append(out, take(t, m, lastTrailers("x-t: 1"))...)
		}
		readBack(t, m, ask, out, status, sent)
	})
}

// readBack reads what was appended as the response to ask.
func readBack(t *testing.T, m *Machine, ask string, out []byte, status int, sent string) {
	t.Helper()
	method, _, _ := strings.Cut(ask, " ")
	br := bufio.NewReader(bytes.NewReader(out))
	r, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if r.StatusCode != status || len(r.TransferEncoding) > 0 && strings.Contains(ask, "HTTP/1.0") {
		t.Fatalf("%q: %d %v", out, r.StatusCode, r.TransferEncoding)
	}
	b, err := io.ReadAll(r.Body)
	switch bodiless := method == "HEAD" || status == 204 || status == 304; {
	case bodiless && len(b) > 0:
		t.Fatalf("%q has a body", out)
	case bodiless:
	case string(b) != sent:
		t.Fatalf("%q: body %q, sent %q", out, b, sent)
	case m.framing == framedClose || m.framing == framedLength && m.owed == 0: // ends with the connection, or is whole though not ended
	case m.ResponseDone() != (err == nil):
		t.Fatalf("%q: complete %t, read with %v", out, m.ResponseDone(), err)
	}
	if rest, _ := io.ReadAll(br); len(rest) > 0 {
		t.Fatalf("%q: %q behind the response", out, rest)
	}
}
