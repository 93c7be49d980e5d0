package websocket

import (
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// benchmarkNext reads one frame over and over. Reading unmasks in place, which
// takes the mask off and on in turn: the key is zero so that text stays text.
func benchmarkNext(b *testing.B, f sent, piece int) {
	in := f.AppendTo(nil, [4]byte{})
	m := New(nil)
	b.SetBytes(int64(len(f.Payload)))
	b.ReportAllocs()
	var event Event
	for b.Loop() {
		for at := 0; at < len(in); {
			if err := m.Next(in[at:min(at+piece, len(in))], &event); err != nil {
				b.Fatal(err)
			}
			at += event.N
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, size := range []int{0, 20, 125, 4096, 65536} {
		whole := size + maxHeader
		b.Run(fmt.Sprintf("binary/%d", size), func(b *testing.B) { benchmarkNext(b, binaryOf(repeat("\xfe", size)), whole) })
		b.Run(fmt.Sprintf("ascii/%d", size), func(b *testing.B) { benchmarkNext(b, text(repeat("a", size)), whole) })
	}
	b.Run("cjk/4096", func(b *testing.B) { benchmarkNext(b, text(repeat("語", 4095)), 1<<16) })
	b.Run("ping/4", func(b *testing.B) { benchmarkNext(b, ping("beat"), 64) })
	b.Run("in two pieces/4096", func(b *testing.B) { benchmarkNext(b, binaryOf(repeat("\xfe", 4096)), 3000) })
	b.Run("in pieces of 64/1MiB", func(b *testing.B) { benchmarkNext(b, text(repeat("a", 1<<20)), 64) })
}

// BenchmarkFragments gathers 1 MiB from one-byte fragments.
func BenchmarkFragments(b *testing.B) {
	var in []byte
	for _, f := range fragments(OpBinary, repeat("\xfe", 1<<20), 1) {
		in = f.AppendTo(in, [4]byte{})
	}
	m := New(nil)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if event, err := next(m, in); err != nil || event.Kind != Message {
			b.Fatal(event.Kind, err)
		}
	}
}

func BenchmarkUnmask(b *testing.B) {
	for _, size := range []int{20, 125, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			key := uint32(0x12345678)
			for b.Loop() {
				key = unmask(p, key)
			}
		})
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, size := range []int{125, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m, p := New(nil), []byte(repeat("a", size))
			dst := make([]byte, 0, size+maxHeader)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.AppendMessage(dst, Text, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHandshake(b *testing.B) {
	r := browserRequest()
	dst := make([]asgi.Header, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		u, err := CheckUpgrade(&r)
		if err != nil {
			b.Fatal(err)
		}
		if err := CheckOrigin(u.Origin, u.Host, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := u.ResponseHeaders(dst, "", nil); err != nil {
			b.Fatal(err)
		}
	}
}
