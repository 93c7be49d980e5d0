package websocket

import (
	"encoding/binary"
	"math/bits"
)

// unmask applies the masking key to p in place and returns the key turned so
// that its low byte is for the byte after p
// (https://www.rfc-editor.org/rfc/rfc6455#section-5.3). The key is the four key
// bytes in little-endian order. Eight words of eight bytes a turn are as fast as
// memory is read, wherever the loop lies in the program; crypto/subtle.XORBytes would need the key repeated first,
// which costs more than it saves below 64 KiB.
func unmask(p []byte, key uint32) uint32 {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 64 {
		q := (*[64]byte)(p)
		xorWord(q[0:8], wide)
		xorWord(q[8:16], wide)
		xorWord(q[16:24], wide)
		xorWord(q[24:32], wide)
		xorWord(q[32:40], wide)
		xorWord(q[40:48], wide)
		xorWord(q[48:56], wide)
		xorWord(q[56:64], wide)
		p = p[64:]
	}
	for len(p) >= 8 {
		xorWord(p[:8], wide)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^key)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

func xorWord(p []byte, word uint64) {
	binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^word)
}
