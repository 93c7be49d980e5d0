package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// https://www.rfc-editor.org/rfc/rfc6455#section-5.7: a masked "Hello", here as
// a binary message.
func TestAppendFrameOfTheRFC(t *testing.T) {
	want := []byte{0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	if got := appendFrame(nil, 0x37fa213d, []byte("Hello")); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

// Every form of the length, and the bytes around its bounds: what a frame says
// and what is masked must be what went in.
func TestAppendFrameLengths(t *testing.T) {
	for size, head := range map[int][]byte{
		0:     {0x82, 0x80},
		125:   {0x82, 0x80 | 125},
		126:   {0x82, 0x80 | 126, 0, 126},
		65535: {0x82, 0x80 | 126, 0xff, 0xff},
		65536: {0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0},
	} {
		const key = 0x01020304
		frame := appendFrame([]byte("before"), key, payload(size))
		frame, ok := bytes.CutPrefix(frame, append([]byte("before"), head...))
		if !ok || len(frame) != 4+size {
			t.Errorf("%d bytes: the head is wrong, or %d bytes follow it", size, len(frame))
			continue
		}
		for i := range size {
			frame[4+i] ^= byte(i%4 + 1)
		}
		if binary.BigEndian.Uint32(frame) != key || !bytes.Equal(frame[4:], payload(size)) {
			t.Errorf("%d bytes: the key or the payload is wrong", size)
		}
	}
}

// serverFrame is a frame with any first byte, unmasked.
func serverFrame(first byte, p []byte) []byte {
	frame := appendFrame(nil, 0, p)
	head := len(frame) - len(p) - 4
	frame[0], frame[1] = first, frame[1]&^maskBit
	return append(frame[:head:head], p...)
}

// readAll hands the stream to a reader in pieces.
func readAll(r reader, stream []byte, piece int) (messages int, err error) {
	for len(stream) > 0 {
		n := min(piece, len(stream))
		k, err := r.read(stream[:n])
		messages += k
		if err != nil {
			return messages, err
		}
		stream = stream[n:]
	}
	return messages, nil
}

// pieces are the cuts every stream is read with.
var pieces = []int{1, 2, 3, 7, 125, 1 << 20}

func TestFrameReader(t *testing.T) {
	short, long, huge := payload(125), payload(300), payload(70000)
	whole := serverFrame(0x82, short)
	wrong := bytes.Clone(short)
	wrong[124]++
	for _, c := range []struct {
		name     string
		payload  []byte
		frames   [][]byte
		messages int
		err      error
	}{
		{"one", short, [][]byte{whole}, 1, nil},
		{"three", short, [][]byte{whole, whole, whole}, 3, nil},
		{"half", short, [][]byte{whole, whole[:60]}, 1, nil},
		{"16-bit length", long, [][]byte{serverFrame(0x82, long), serverFrame(0x82, long)}, 2, nil},
		{"64-bit length", huge, [][]byte{serverFrame(0x82, huge)}, 1, nil},
		{"empty", nil, [][]byte{serverFrame(0x82, nil), serverFrame(0x82, nil)}, 2, nil},
		{"fragments", short, [][]byte{serverFrame(0x02, short[:50]), serverFrame(0x00, short[50:60]), serverFrame(0x80, short[60:]), whole}, 2, nil},
		{"ping between fragments", short, [][]byte{serverFrame(0x02, short[:50]), serverFrame(0x89, []byte("?")), serverFrame(0x80, short[50:])}, 1, nil},
		{"pings", short, [][]byte{serverFrame(0x89, nil), whole, serverFrame(0x8a, []byte("!"))}, 1, nil},
		{"other payload", short, [][]byte{whole, serverFrame(0x82, wrong)}, 1, errReply},
		{"too short", short, [][]byte{serverFrame(0x82, short[:124])}, 0, errReply},
		{"too long", short, [][]byte{serverFrame(0x82, payload(126))}, 0, errReply},
		{"too long in fragments", short, [][]byte{serverFrame(0x02, short), serverFrame(0x80, []byte{125})}, 0, errReply},
		{"close", short, [][]byte{whole, serverFrame(0x88, []byte{3, 232})}, 1, errClosed},
		{"reserved bit", short, [][]byte{serverFrame(0xc2, short)}, 0, errFrame},
		{"masked", short, [][]byte{appendFrame(nil, 1, short)}, 0, errFrame},
		{"continuation of nothing", short, [][]byte{serverFrame(0x80, short)}, 0, errFrame},
		{"message within a message", short, [][]byte{serverFrame(0x02, short[:50]), serverFrame(0x82, short[50:])}, 0, errFrame},
	} {
		for _, piece := range pieces {
			t.Run(fmt.Sprintf("%s in pieces of %d", c.name, piece), func(t *testing.T) {
				messages, err := readAll(&frameReader{payload: c.payload}, bytes.Join(c.frames, nil), piece)
				if messages != c.messages || !errors.Is(err, c.err) {
					t.Errorf("%d messages, error %v; want %d, %v", messages, err, c.messages, c.err)
				}
			})
		}
	}
}
