package images

import (
	"context"
	"encoding/binary"
	"math/bits"
	"runtime"
	"testing"
)

// lengthOrder is the order in which the lengths of the codes of lengths come.
var lengthOrder = []uint8{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// bitWriter writes numbers from their lowest bit on.
type bitWriter struct {
	data []byte
	n    int // bits
}

func (w *bitWriter) write(v uint32, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// code writes the code of 8 bits in which each of 256 values has itself.
func (w *bitWriter) code(v int) { w.write(uint32(bits.Reverse8(byte(v))), 8) }

// one writes a prefix code of one symbol, which is below 256.
func (w *bitWriter) one(symbol uint32) {
	w.write(1, 1) // simple
	w.write(0, 1) // one symbol
	w.write(1, 1) // of 8 bits
	w.write(symbol, 8)
}

// equal writes a prefix code in which the first used of the symbols have codes of
// a length: used is 1<<length.
func (w *bitWriter) equal(symbols, used, length int) { w.two(symbols, used, length) }

// two writes a prefix code in which the first short symbols have codes of a
// length, the others of one bit more, or no code if short is 1<<length.
func (w *bitWriter) two(symbols, short, length int) {
	rest := length + 1
	if short == 1<<length {
		rest = 0
	}
	w.write(0, 1)                                          // not simple
	w.write(uint32(len(lengthOrder))-4, 4)                 // lengths of lengths
	ofLengths := map[int]uint32{16: 1, length: 2, rest: 2} // codes 0, then 10 and 11 by value
	for _, i := range lengthOrder {
		w.write(ofLengths[int(i)], 3)
	}
	w.write(0, 1) // all symbols follow
	lower := min(length, rest)
	run := func(value, times int) {
		literal := func() {
			w.write(1, 1)
			w.write(uint32(min(value-lower, 1)), 1)
		}
		literal()
		for times--; times > 0; {
			if n := min(times, 6); n >= 3 && value != 0 {
				w.write(0, 1)
				w.write(uint32(n-3), 2)
				times -= n
				continue
			}
			literal()
			times--
		}
	}
	run(length, short)
	if symbols > short {
		run(rest, symbols-short)
	}
}

// losslessBomb returns a WebP of 1024x1024 pixels with the given number of groups
// of tables, each as large as can be, and no pixels.
func losslessBomb(groups int, dense bool) []byte {
	w := &bitWriter{}
	w.write(0, 1)  // no transform
	w.write(1, 1)  // a cache of colours
	w.write(11, 4) // of 2048
	w.write(1, 1)  // groups
	w.write(0, 3)  // for tiles of 4x4
	w.write(0, 1)  // the picture of groups has no cache
	w.equal(280, 256, 8)
	w.equal(256, 256, 8)
	w.one(0)
	w.one(0)
	w.one(0)
	for i := range 256 * 256 {
		i %= groups
		w.code(i & 255)
		w.code(i >> 8)
	}
	for range groups {
		if dense {
			w.two(2328, 1768, 11)
			w.equal(256, 256, 8)
			w.equal(256, 256, 8)
			w.equal(256, 256, 8)
		} else {
			w.one(0)
			w.one(0)
			w.one(0)
			w.one(0)
		}
		w.one(0)
	}
	body := binary.LittleEndian.AppendUint32([]byte{0x2f}, 1023|1023<<14)
	body = append(body, w.data...)
	body = append(body, make([]byte, len(body)&1)...)
	file := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(body)))
	file = append(file, "WEBPVP8L"...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(body)))
	return append(file, body...)
}

func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestLosslessBomb: tables in the most that the decoder allows are in the cost.
func TestLosslessBomb(t *testing.T) {
	for _, c := range []struct {
		groups int
		dense  bool
	}{{2600, true}, {2600, false}, {3, true}} {
		data := losslessBomb(c.groups, c.dense)
		info, err := Inspect(data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		size := allocated(func() {
			_, err = Transform(context.Background(), data, Request{Width: 10}, Limits{}, nil)
		})
		if got := StatusOf(err); got != 422 && got != 200 {
			t.Error(err)
		}
		// A third of what is allocated is dropped at once: the lengths of codes.
		if size*2/3 > info.Cost {
			t.Errorf("%+v: %d KiB allocated, cost %d KiB", c, size>>10, info.Cost>>10)
		}
		if _, err = Inspect(data, Limits{MaxDecodedBytes: size / 2}); StatusOf(err) != 422 {
			t.Errorf("%+v: passes a limit of half of what it takes", c)
		}
	}
}
