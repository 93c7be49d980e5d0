package websocket

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// unmaskSlowly is RFC 6455 §5.3 to the letter.
func unmaskSlowly(p []byte, key [4]byte, at int) {
	for i := range p {
		p[i] ^= key[(at+i)%4]
	}
}

func TestUnmask(t *testing.T) {
	key := [4]byte{0x12, 0xe4, 0x56, 0xa8}
	source := []byte(repeat("The quick brown fox \x00\xff", 300))
	for offset := range 9 {
		for size := range 131 {
			got := bytes.Clone(source)
			want := bytes.Clone(source)
			turned := unmask(got[offset:offset+size], binary.LittleEndian.Uint32(key[:]))
			unmaskSlowly(want[offset:offset+size], key, 0)
			// The turned key goes on where the piece ended.
			unmask(got[offset+size:offset+size+7], turned)
			unmaskSlowly(want[offset+size:offset+size+7], key, size)
			if !bytes.Equal(got, want) {
				t.Fatalf("offset %d, %d bytes", offset, size)
			}
		}
	}
}
