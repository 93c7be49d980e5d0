package websocket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/gale-server/gale/internal/longtest"
)

// TestMachineSize pins what a connection pays for its protocol state.
func TestMachineSize(t *testing.T) {
	if size := unsafe.Sizeof(Machine{}); size > 96 {
		t.Fatalf("a Machine takes %d bytes", size)
	}
}

// rawHeader is a frame head in the given length form, whatever the length.
func rawHeader(b0 byte, form int, length uint64, key [4]byte) []byte {
	head := []byte{b0, maskBit}
	switch form {
	case 7:
		head[1] |= byte(length)
	case 16:
		head[1] |= length16
		head = binary.BigEndian.AppendUint16(head, uint16(length))
	case 64:
		head[1] |= length64
		head = binary.BigEndian.AppendUint64(head, length)
	}
	return append(head, key[:]...)
}

// https://www.rfc-editor.org/rfc/rfc6455#section-5.1: "The server MUST close
// the connection upon receiving a frame that is not masked."
func TestUnmaskedFrame(t *testing.T) {
	for _, in := range [][]byte{{0x81, 0x00}, {0x82, 0x05, 1, 2, 3, 4, 5}, {0x89, 0x00}, {0x88, 0x02, 0x03, 0xe8}} {
		got := checkSplits(t, nil, in)
		if got.failure != errUnmasked || got.failedAt != 2 {
			t.Errorf("% x: %v at %d", in, got.failure, got.failedAt)
		}
	}
}

// https://www.rfc-editor.org/rfc/rfc6455#section-5.2: "the most significant bit
// MUST be 0".
func TestLengthTopBit(t *testing.T) {
	for _, length := range []uint64{1 << 63, 1<<63 | 5, math.MaxUint64} {
		for _, limit := range []int64{0, -1} {
			got := checkSplits(t, &Config{MaxMessageBytes: limit}, rawHeader(0x82, 64, length, [4]byte{}))
			if got.failure != errLengthTopBit || got.failedAt != 3 {
				t.Errorf("%x: %v at %d", length, got.failure, got.failedAt)
			}
		}
	}
}

// A length in a longer form than it needs is accepted; control frames have one
// form only.
func TestLengthForms(t *testing.T) {
	for _, form := range []int{7, 16, 64} {
		in := append(rawHeader(0x81, form, 5, [4]byte{}), "hello"...)
		in = append(in, stream(ping(""))...)
		got := checkSplits(t, nil, in)
		if got.failure != nil || len(got.events) != 2 || got.events[0].data != "hello" {
			t.Errorf("form %d: %v %v", form, got.events, got.failure)
		}
		control := append(rawHeader(0x89, form, 5, [4]byte{}), "hello"...)
		if got := checkSplits(t, nil, control); (got.failure == errControlTooLong) != (form != 7) {
			t.Errorf("control, form %d: %v", form, got.failure)
		}
	}
}

// TestMessageLimit: the limit holds over all fragments, counts no control
// frame, and is judged when a length is declared.
func TestMessageLimit(t *testing.T) {
	for _, c := range []struct {
		name     string
		limit    int64
		in       []byte
		failure  *Error
		failedAt int
	}{
		{"at the limit", 10, stream(text("0123456789")), nil, 0},
		{"beyond it", 10, stream(text("0123456789A")), errTooBig, 2},
		{"16-bit length", 200, stream(text(repeat("*", 201))), errTooBig, 4},
		{"64-bit length", 70000, stream(text(repeat("*", 70001))), errTooBig, 10},
		{"fragments at it", 10, stream(first("01234"), ping("ping payload"), last("56789")), nil, 0},
		{"fragments beyond it", 10, stream(first("01234"), ping("ping payload"), last("56789A")), errTooBig, 11 + 18 + 2},
		{"an empty end", 10, stream(first("0123456789"), last("")), nil, 0},
		{"two messages", 10, stream(text("0123456789"), text("0123456789")), nil, 0},
		{"control frames", 1, stream(ping("0123456789"), pong("0123456789")), nil, 0},
		{"default", 0, rawHeader(0x82, 64, 16<<20, [4]byte{}), nil, 0},
		{"beyond the default", 0, rawHeader(0x82, 64, 16<<20+1, [4]byte{}), errTooBig, 10},
		{"unlimited", -1, rawHeader(0x82, 64, math.MaxInt, [4]byte{}), nil, 0},
		{"more than a slice holds", -1, append(stream(first("a")), rawHeader(0x80, 64, math.MaxInt64, [4]byte{})...), errTooBig, 17},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := checkSplits(t, &Config{MaxMessageBytes: c.limit}, c.in)
			if got.failure != c.failure || got.failure != nil && got.failedAt != c.failedAt {
				t.Fatalf("%v at %d, want %v at %d", got.failure, got.failedAt, c.failure, c.failedAt)
			}
		})
	}
}

// A peer that declares a large frame and sends little of it makes the machine
// hold little.
func TestDeclaredLengthCostsNothing(t *testing.T) {
	m := New(&Config{MaxMessageBytes: -1})
	feed(t, m, append(rawHeader(0x82, 64, 1<<30, [4]byte{}), 'x'), whole)
	if cap(m.gathered) > minGather {
		t.Fatalf("%d bytes for one that arrived", cap(m.gathered))
	}
	m.Init(nil)
	feed(t, m, append(rawHeader(0x82, 7, 100, [4]byte{}), 'x'), whole)
	if cap(m.gathered) != 100 {
		t.Fatalf("%d bytes for a message of 100", cap(m.gathered))
	}
}

// Gathering is linear: a message in the smallest pieces allocates a small
// multiple of its size.
func TestGatherIsLinear(t *testing.T) {
	size := 512 << 10
	if longtest.On() {
		size = 4 << 20
	}
	data := repeat("\x00\xfe\x23\xfa\xf0", size)
	for _, c := range []struct {
		name  string
		in    []byte
		piece int
	}{
		{"one-byte fragments", stream(fragments(OpBinary, data, 1)...), 64 << 10},
		{"one frame in pieces of 64", stream(binaryOf(data)), 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New(nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			event := lastEvent(t, m, c.in, c.piece)
			runtime.ReadMemStats(&after)
			if string(event.Data) != data {
				t.Fatal("the message is not what was sent")
			}
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 5*uint64(size) {
				t.Fatalf("%d MiB allocated for a message of %d", spent>>20, size>>20)
			}
		})
	}
}

// lastEvent feeds one message without copies.
func lastEvent(t *testing.T, m *Machine, in []byte, piece int) Event {
	t.Helper()
	var event Event
	for at := 0; at < len(in); {
		var err error
		if event, err = next(m, in[at:min(at+piece, len(in))]); err != nil {
			t.Fatal(err)
		}
		at += event.N
	}
	return event
}

// A message that lies whole in the input is delivered as a part of it.
func TestWholeMessageIsNotCopied(t *testing.T) {
	for _, f := range []sent{text("hello"), ping("hello"), closing(CloseNormal, "hello")} {
		in := stream(f)
		event, err := next(New(nil), in)
		if err != nil || &event.Data[4] != &in[len(in)-1] {
			t.Errorf("%v was copied (%v)", event.Kind, err)
		}
	}
	in := stream(first(""), last("hello"))
	event, err := next(New(nil), in)
	if err != nil || &event.Data[4] != &in[len(in)-1] {
		t.Errorf("a last fragment after empty ones was copied (%v)", err)
	}
}

// A message that was gathered belongs to the receiver as long as it likes: the
// machine has let go of it.
func TestGatheredMessageIsReleased(t *testing.T) {
	m := New(nil)
	in := stream(first("one "), last("message"), first("another"), last(" one"))
	event, err := next(m, in)
	if err != nil || string(event.Data) != "one message" {
		t.Fatal(event, err)
	}
	if next, err := next(m, in[event.N:]); err != nil || string(next.Data) != "another one" {
		t.Fatal(next, err)
	}
	if string(event.Data) != "one message" {
		t.Fatalf("the first message became %q", event.Data)
	}
}

// TestCloseCodesOfPeer: every code there is (RFC 6455 §7.4).
func TestCloseCodesOfPeer(t *testing.T) {
	for code := range 1 << 16 {
		valid := 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
		event, err := next(New(nil), stream(closing(code, "why")))
		if valid && (err != nil || event.Kind != Close || event.Code != code || string(event.Data) != "why") {
			t.Fatalf("code %d: %v %v", code, event, err)
		}
		if !valid && err != error(errCloseCode) {
			t.Fatalf("code %d: %v %v", code, event, err)
		}
	}
}

// TestClosing: what is left of a machine on either side of the closing
// handshake.
func TestClosing(t *testing.T) {
	m := new(Machine)
	in := stream(first("half"), sent{Op: byte(OpClose)}, last("the rest"))
	event, err := next(m, in)
	if err != nil || event.Kind != Close || event.Code != CloseNoStatus || len(event.Data) != 0 {
		t.Fatal(event, err)
	}
	if !m.CloseReceived() || m.CloseSent() {
		t.Fatal("only the peer's close was seen")
	}
	if event, err := next(m, in[event.N:]); err != nil || event.Kind != Closed || event.N != len(stream(last("the rest"))) {
		t.Fatal("input after the close was not ignored:", event, err)
	}
	if event, err := next(m, nil); err != nil || event.Kind != Closed || event.N != 0 {
		t.Fatal("no input after the close:", event, err)
	}

	// After our close the peer's data still comes, until its close.
	m.Init(nil)
	if _, err := m.AppendClose(nil, CloseGoingAway, ""); err != nil || !m.CloseSent() || m.CloseReceived() {
		t.Fatal("our close was not sent:", err)
	}
	got := feed(t, m, stream(text("late"), ping(""), closing(CloseGoingAway, "")), whole)
	if fmt.Sprint(got.events) != `[message text 0 "late" ping unknown 0 "" close unknown 1001 ""]` || !m.CloseReceived() {
		t.Fatal(got.events)
	}
}

// Input that ends nothing, and no input at all.
func TestNeedData(t *testing.T) {
	m := new(Machine)
	for _, p := range [][]byte{nil, {}, {0x81}, {}, {0x83}, {1, 2, 3, 4}, {'h' ^ 1}, nil} {
		if event, err := next(m, bytes.Clone(p)); err != nil || event.Kind != NeedData || event.N != len(p) {
			t.Fatalf("% x: %v %v", p, event, err)
		}
	}
	if event, err := next(m, []byte{'i' ^ 2, '!' ^ 3}); err != nil || string(event.Data) != "hi!" {
		t.Fatal(event, err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{NeedData.String(), "need data"}, {Closed.String(), "closed"}, {Pong.String(), "pong"},
		{Text.String(), "text"}, {Binary.String(), "binary"},
		{errControlFragmented.Error(), "websocket: control frame is fragmented (RFC 6455 §5.5)"},
		{errSendText.Error(), "websocket: text to send is not valid UTF-8 (RFC 6455 §5.6)"},
		{errMethod.Error(), "websocket: method of the handshake is not GET (RFC 6455 §4.2.1)"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
