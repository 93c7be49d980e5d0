package http1

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// plain is a GET with six fields, as a load generator or an API client sends it.
const plain = "GET /api/v1/items?id=42&full=1 HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: application/json,text/plain;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Connection: keep-alive\r\n\r\n"

var okResponse = Response{
	Status:    200,
	Headers:   []asgi.Header{{Name: "content-type", Value: "text/plain"}, {Name: "cache-control", Value: "no-store"}},
	BodyBytes: 13,
	Date:      "Sun, 06 Nov 1994 08:49:37 GMT",
	Server:    "gale",
}

var hello = []byte("Hello, world!")

// exchange is one request and its response.
func exchange(t testing.TB, m *Machine, h *Head, p, out []byte) []byte {
	ev, err := m.Next(p, h)
	if err != nil || ev.Kind != Request {
		t.Fatal(ev, err)
	}
	p = p[ev.N:]
	for ev.Kind != End {
		if ev, err = m.Next(p, h); err != nil || ev.Kind == NeedData {
			t.Fatal(ev, err)
		}
		p = p[ev.N:]
	}
	if out, err = m.AppendStart(out, &okResponse); err != nil {
		t.Fatal(err)
	}
	if out, err = m.AppendLastBody(out, hello); err != nil {
		t.Fatal(err)
	}
	return out
}

func chunkedPost(chunks, size int) []byte {
	b := []byte("POST /upload HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range chunks {
		b = fmt.Appendf(b, "%x\r\n", size)
		b = append(b, bytes.Repeat([]byte("x"), size)...)
		b = append(b, "\r\n"...)
	}
	return append(b, "0\r\n\r\n"...)
}

// TestAllocations pins the hot paths.
func TestAllocations(t *testing.T) {
	m, h := New(nil), new(Head)
	p, bare := []byte(plain), []byte("GET / HTTP/1.1\n")
	out := make([]byte, 0, 4096)
	fields := make([]asgi.Header, 0, 16)
	for _, tt := range []struct {
		name string
		want float64
		do   func()
	}{
		{"GET and its response", 0, func() { exchange(t, m, h, p, out) }},
		{"chunked POST and its response", 0, func() { exchange(t, m, h, chunked16, out) }},
		{"head in two parts", 3, func() { // the memory of its first part grows
			m.Next(p[:100], h)
			exchange(t, m, h, p[100:], out)
		}},
		{"scope", 2, func() { h.Copy(nil) }},
		{"scope into a slice at hand", 1, func() { h.Copy(fields) }},
		{"refusal", 0, func() {
			var bad Machine
			bad.Reset(nil)
			if _, err := bad.Next(bare, h); err == nil {
				t.Fatal("accepted")
			}
			bad.AppendError(out, 400, "", "")
		}},
	} {
		exchange(t, m, h, p, out) // so that the Head has its memory
		if got := testing.AllocsPerRun(100, tt.do); got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

var chunked16 = chunkedPost(16, 100)

func BenchmarkParseGet(b *testing.B) {
	m, h := New(nil), new(Head)
	p := []byte(plain)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if ev, err := m.Next(p, h); err != nil || ev.Kind != Request {
			b.Fatal(ev, err)
		}
		m.idle()
	}
}

func BenchmarkParseGetSmall(b *testing.B) {
	m, h := New(nil), new(Head)
	p := []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n")
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if ev, err := m.Next(p, h); err != nil || ev.Kind != Request {
			b.Fatal(ev, err)
		}
		m.idle()
	}
}

func BenchmarkExchange(b *testing.B) {
	m, h := New(nil), new(Head)
	p, out := []byte(plain), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		exchange(b, m, h, p, out)
	}
}

func BenchmarkCopy(b *testing.B) {
	h := parse(b, plain)
	b.ReportAllocs()
	for b.Loop() {
		h.Copy(nil)
	}
}

func BenchmarkChunkedBody(b *testing.B) {
	m, h := New(nil), new(Head)
	out := make([]byte, 0, 4096)
	b.SetBytes(int64(len(chunked16)))
	b.ReportAllocs()
	for b.Loop() {
		exchange(b, m, h, chunked16, out)
	}
}

// BenchmarkHeadByOctet is the slowest client there is.
func BenchmarkHeadByOctet(b *testing.B) {
	m, h := New(nil), new(Head)
	p := []byte(plain)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		for i := range p {
			if _, err := m.Next(p[i:i+1], h); err != nil {
				b.Fatal(err)
			}
		}
		m.idle()
	}
}

func BenchmarkResponse(b *testing.B) {
	m := asked(b, get)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		m.out = outHead
		dst, err := m.AppendStart(out, &okResponse)
		if err == nil {
			_, err = m.AppendLastBody(dst, hello)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
