package websocket

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gale-server/gale/internal/longtest"
)

// toMove is what the machine has not moved yet of the message that is arriving.
func toMove(m *Machine) int {
	if m.rare == nil {
		return 0
	}
	return len(m.rare.old)
}

// mover is a machine whose caller looks how much of a message every call copies to
// a larger buffer.
type mover struct {
	*Machine
	l     *lender
	t     testing.TB
	whole int  // bytes of a message of one frame; 0 for a fragmented one
	moved bool // a buffer was left while the other was in use
}

func newMover(t testing.TB, classes bool) *mover {
	l := &lender{t: t, lent: map[*byte]int{}, classes: classes}
	return &mover{Machine: New(&Config{Buffers: l}), l: l, t: t}
}

// count runs f, which is given size bytes and returns the message if they complete
// it, and holds it to the bound.
func (v *mover) count(size int, f func() []byte) {
	before, left := v.gathered, toMove(v.Machine)
	after := f()
	complete := after != nil
	if !complete {
		after = v.gathered
	}
	if v.phase == phaseFailed || v.phase == phaseClosed {
		return
	}
	copied := left - toMove(v.Machine)
	if cap(before) > 0 && cap(after) > 0 && &before[:1][0] != &after[:1][0] {
		copied += len(before)
		if to := toMove(v.Machine); v.whole > 0 && to > 0 && v.whole-len(before) < to {
			v.t.Fatalf("%d bytes are to move while %d arrive", to, v.whole-len(before))
		}
	}
	if most := max(atOnce, 3*size+moveStep); copied > most && (v.whole > 0 || !complete) {
		v.t.Fatalf("%d bytes were copied for %d that came, after %d", copied, size, len(before))
	}
	v.moved = v.moved || toMove(v.Machine) > 0
	if buffers := len(v.l.lent); buffers > 1 && toMove(v.Machine) == 0 || buffers > 2 {
		v.t.Fatalf("%d buffers are lent, %d bytes are to move", buffers, toMove(v.Machine))
	}
}

// place is Rest; what it returns holds what nobody sent.
func (v *mover) place() (p []byte) {
	v.count(0, func() []byte { p = v.Rest(); return nil })
	return p
}

// read gives all of p to the machine, and returns its last event.
func (v *mover) read(p []byte) (event Event, err error) {
	for len(p) > 0 && err == nil {
		v.count(len(p), func() []byte {
			if err = v.Next(p, &event); event.Kind == Message {
				return event.Data
			}
			return nil
		})
		p = p[event.N:]
	}
	return event, err
}

// feed gives in to the machine in pieces of up to most bytes, the share placed of
// them in the place that Rest returns, and returns the message that in ends with.
func (v *mover) feed(r *rand.Rand, in []byte, most int, placed float64) (message []byte) {
	v.t.Helper()
	var event Event
	for len(in) > 0 {
		size := min(1+r.IntN(most), len(in))
		p := bytes.Clone(in[:size])
		if r.Float64() < placed {
			if place := v.place(); len(place) > 0 {
				p = place[:copy(place, in[:size])]
			}
		}
		in = in[len(p):]
		var err error
		if event, err = v.read(p); err != nil {
			v.t.Fatal(err)
		}
	}
	message = bytes.Clone(event.Data)
	if event.Owned {
		v.l.Give(event.Data)
	}
	return message
}

// largeSizes are the sizes of messages around which they grow once more, or may be
// copied at once no more.
func largeSizes() (sizes []int) {
	for _, size := range []int{atOnce, 2 * atOnce, 4 * atOnce, 8 * atOnce, 9 * atOnce, 16 * atOnce, 601 << 10} {
		sizes = append(sizes, size-1, size, size+1)
	}
	return sizes
}

// TestMove has messages of all sizes come in pieces of all sizes: each is what was
// sent, no call copies much of it, and every buffer is given back when it is left.
func TestMove(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 17*atOnce)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	letters := []rune("aé語😀")
	characters := make([]rune, 17*atOnce/2)
	for i := range characters {
		characters[i] = letters[r.IntN(len(letters))]
	}
	characterBytes := []byte(string(characters))
	for i, size := range largeSizes() {
		for _, kind := range []MessageKind{Binary, Text} {
			payload := data[:size]
			if kind == Text {
				payload = bytes.ToValidUTF8(characterBytes[:size], nil)
			}
			frame := sent{Op: byte(kind), Payload: string(payload)}
			for _, frames := range [][]sent{{frame}, interleaved(r, frame)} {
				var in []byte
				for _, f := range frames {
					in = f.AppendTo(in, [4]byte{byte(i), 2, 3, 4})
				}
				places := []float64{r.Float64(), float64(r.IntN(2))}
				if !longtest.On() {
					places = places[i%2:][:1]
				}
				for _, placed := range places {
					most := []int{3000, 64 << 10, 700 << 10}[r.IntN(3)]
					name := fmt.Sprintf("%v of %d in %d frames, pieces of up to %d, %.1f placed", kind, len(payload), len(frames), most, placed)
					v := newMover(t, i%2 == 0 && placed > 0)
					if len(frames) == 1 {
						v.whole = len(payload)
					}
					if got := v.feed(r, in, most, placed); !bytes.Equal(got, payload) {
						t.Fatalf("%s: it is not what was sent", name)
					}
					if len(v.l.lent) > 0 || v.rare != nil {
						t.Fatalf("%s: %d buffers are still lent", name, len(v.l.lent))
					}
					if most < atOnce && len(payload) >= 15*atOnce && !v.moved {
						t.Fatalf("%s: it was copied at once", name)
					}
				}
			}
		}
	}
}

// interleaved cuts a frame into fragments, with a ping after each but the last.
func interleaved(r *rand.Rand, frame sent) (frames []sent) {
	for payload := frame.Payload; ; {
		n := min(1+r.IntN(300<<10), len(payload))
		f := sent{Op: frame.Op, More: n < len(payload), Payload: payload[:n]}
		if len(frames) > 0 {
			f.Op = byte(OpContinuation)
		}
		if frames = append(frames, f); !f.More {
			return frames
		}
		frames, payload = append(frames, ping("ping")), payload[n:]
	}
}

// TestGrowthInMove has a piece come in the middle of a move that is larger than the
// room.
func TestGrowthInMove(t *testing.T) {
	payload := repeat("0123456789", 10*atOnce)
	in := stream(sent{Op: byte(OpBinary), More: true, Payload: payload}, last(""))
	v := newMover(t, false)
	var event Event
	at := 0
	for _, size := range []int{100 << 10, 299 << 10, 10 << 10, 2 << 20, len(in)} {
		p := bytes.Clone(in[at:min(at+size, len(in))])
		at += len(p)
		var err error
		if event, err = v.read(p); err != nil {
			t.Fatal(err)
		}
		if size == 10<<10 && toMove(v.Machine) == 0 {
			t.Fatalf("nothing is to move when %d bytes have come", at)
		}
	}
	if string(event.Data) != payload {
		t.Fatal("it is not what was sent")
	}
	if v.l.Give(event.Data); len(v.l.lent) > 0 {
		t.Fatalf("%d buffers are still lent", len(v.l.lent))
	}
}

// TestMoveEnds ends a machine in the middle of a move: both buffers go back.
func TestMoveEnds(t *testing.T) {
	arrived := repeat("x", 4*atOnce+(100<<10)) // it takes 512 KiB to move the first 1 MiB
	oneFrame := append(rawHeader(0x81, 64, 16<<20, [4]byte{}), arrived...)
	fragment := append(rawHeader(0x01, 64, uint64(len(arrived)), [4]byte{}), arrived...)
	for _, c := range []struct {
		name string
		in   []byte
		end  func(v *mover) error
		want error
	}{
		{"released", oneFrame, func(v *mover) error { v.Release(); return nil }, nil},
		{"not UTF-8", oneFrame, func(v *mover) error { _, err := v.read([]byte{0xff, 0xff, 0xff, 0xff}); return err }, errNotUTF8},
		{"unmasked", fragment, func(v *mover) error { _, err := v.read([]byte{0x80, 0}); return err }, errUnmasked},
		{"too big", fragment, func(v *mover) error { _, err := v.read(rawHeader(0x80, 64, 1<<30, [4]byte{})); return err }, errTooBig},
		{"close", fragment, func(v *mover) error { _, err := v.read(stream(closing(CloseNormal, ""))); return err }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newMover(t, true)
			for at := 0; at < len(c.in); at += 4096 {
				if _, err := v.read(bytes.Clone(c.in[at:min(at+4096, len(c.in))])); err != nil {
					t.Fatal(err)
				}
			}
			if toMove(v.Machine) == 0 || len(v.l.lent) != 2 {
				t.Fatalf("%d bytes are to move, %d buffers are lent", toMove(v.Machine), len(v.l.lent))
			}
			if err := c.end(v); err != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			v.Release()
			if len(v.l.lent) > 0 {
				t.Fatalf("%d buffers are still lent", len(v.l.lent))
			}
			if c.want != nil {
				checkFailed(t, v.Machine)
			}
		})
	}
}

// TestGatherAhead holds the room of a message to what has arrived of it.
func TestGatherAhead(t *testing.T) {
	for _, size := range []int{1 << 10, 3000, 100_000, 1 << 20, 5 << 20} {
		in := binaryOf(repeat("\xfe", size)).AppendTo(nil, [4]byte{})
		for _, piece := range []int{1, 100, 10_000, 64 << 10} {
			if size/piece > 1<<16 {
				continue
			}
			m := New(nil)
			for at := 0; at+piece < len(in); at += piece {
				if _, err := next(m, in[at:at+piece]); err != nil {
					t.Fatal(err)
				}
				m.Rest()
				n, room := len(m.gathered), cap(m.gathered)
				if room > max(minGather, 4*n) && (room > size || room > 8*n) {
					t.Fatalf("room for %d bytes when %d of %d have arrived", room, n, size)
				}
			}
		}
	}
}
