package websocket

import (
	"fmt"
	"testing"
)

// The cases of the Autobahn test suite, by their numbers
// (https://github.com/crossbario/autobahn-testsuite): what its fuzzing client
// sends, and what it must get back for the verdict OK. NON-STRICT, which the
// suite tolerates, is a failure here.

// TestAutobahnFraming: group 1, messages at the borders of the length forms.
func TestAutobahnFraming(t *testing.T) {
	sizes := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	for i, size := range sizes {
		text1, binary1 := repeat("*", size), repeat("\xfe", size)
		cases := []vector{
			clean(fmt.Sprintf("1.1.%d", i+1), []sent{text(text1)}, reply{OpText, text1}),
			clean(fmt.Sprintf("1.2.%d", i+1), []sent{binaryOf(binary1)}, reply{OpBinary, binary1}),
		}
		if i == 7 {
			cases[0].chop, cases[1].chop = 997, 997
		}
		runVectors(t, cases)
	}
}

// TestAutobahnPings: group 2.
func TestAutobahnPings(t *testing.T) {
	const raw = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	long := repeat("\xfe", 125)
	var ten []sent
	var tenBack []reply
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten, tenBack = append(ten, ping(payload)), append(tenBack, reply{OpPong, payload})
	}
	runVectors(t, []vector{
		clean("2.1", []sent{ping("")}, reply{OpPong, ""}),
		clean("2.2", []sent{ping("Hello, world!")}, reply{OpPong, "Hello, world!"}),
		clean("2.3", []sent{ping(raw)}, reply{OpPong, raw}),
		clean("2.4", []sent{ping(long)}, reply{OpPong, long}),
		broken("2.5", []sent{ping(repeat("\xfe", 126))}, errControlTooLong),
		clean("2.6", []sent{ping(long)}, reply{OpPong, long}).chopped(1),
		clean("2.7", []sent{pong("")}),
		clean("2.8", []sent{pong("unsolicited pong payload")}),
		clean("2.9", []sent{pong("unsolicited pong payload"), ping("ping payload")}, reply{OpPong, "ping payload"}),
		clean("2.10", ten, tenBack...),
		clean("2.11", ten, tenBack...).chopped(1),
	})
}

// TestAutobahnReservedBits: group 3. RSV1 is the 4 of the suite's numbers.
func TestAutobahnReservedBits(t *testing.T) {
	const hello = "Hello, world!"
	rsv := func(op Opcode, bits byte, payload string) sent { return sent{op: op, rsv: bits, payload: payload} }
	after := func(id string, bits byte) vector {
		return broken(id, []sent{text(hello), rsv(OpText, bits, hello), ping("")}, errReservedBits, reply{OpText, hello})
	}
	runVectors(t, []vector{
		broken("3.1", []sent{rsv(OpText, 1, hello)}, errReservedBits),
		after("3.2", 2),
		after("3.3", 3),
		after("3.4", 4).chopped(1),
		broken("3.5", []sent{rsv(OpBinary, 5, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, errReservedBits),
		broken("3.6", []sent{rsv(OpPing, 6, hello)}, errReservedBits),
		broken("3.7", []sent{rsv(OpClose, 7, "")}, errReservedBits),
	})
}

// TestAutobahnOpcodes: group 4.
func TestAutobahnOpcodes(t *testing.T) {
	const hello = "Hello, world!"
	alone := func(id string, op Opcode, payload string) vector {
		return broken(id, []sent{{op: op, payload: payload}}, errReservedOpcode)
	}
	after := func(id string, op Opcode, payload string) vector {
		frames := []sent{text(hello), {op: op, payload: payload}, ping("")}
		return broken(id, frames, errReservedOpcode, reply{OpText, hello})
	}
	runVectors(t, []vector{
		alone("4.1.1", 3, ""),
		alone("4.1.2", 4, "reserved opcode payload"),
		after("4.1.3", 5, ""),
		after("4.1.4", 6, hello),
		after("4.1.5", 7, hello).chopped(1),
		alone("4.2.1", 11, ""),
		alone("4.2.2", 12, "reserved opcode payload"),
		after("4.2.3", 13, ""),
		after("4.2.4", 14, hello),
		after("4.2.5", 15, hello).chopped(1),
	})
}

// TestAutobahnFragmentation: group 5. Cases that differ only in how the octets
// are chopped on the wire stand once: every case is cut everywhere.
func TestAutobahnFragmentation(t *testing.T) {
	two := []sent{first("fragment1"), last("fragment2")}
	twoBack := reply{OpText, "fragment1fragment2"}
	pinged := []sent{first("fragment1"), ping("ping payload"), last("fragment2")}
	orphan := func(f sent) []sent { return []sent{f, text("Hello, world!")} }
	twice := func(f sent) []sent {
		return []sent{f, first("fragment2"), last("fragment3"), f, first("fragment2"), last("fragment3")}
	}
	five := []sent{
		first("fragment1"), middle("fragment2"), ping("pongme 1!"),
		middle("fragment3"), middle("fragment4"), ping("pongme 2!"), last("fragment5"),
	}
	runVectors(t, []vector{
		broken("5.1", []sent{{op: OpPing, more: true, payload: "fragment1"}, last("fragment2")}, errControlFragmented),
		broken("5.2", []sent{{op: OpPong, more: true, payload: "fragment1"}, last("fragment2")}, errControlFragmented),
		clean("5.3-5.5", two, twoBack),
		clean("5.6-5.8", pinged, reply{OpPong, "ping payload"}, twoBack),
		broken("5.9-5.11", orphan(last("non-continuation payload")), errNothingToContinue),
		broken("5.12-5.14", orphan(middle("non-continuation payload")), errNothingToContinue),
		broken("5.15", []sent{first("fragment1"), last("fragment2"), middle("fragment3"), text("fragment4")},
			errNothingToContinue, twoBack),
		broken("5.16", twice(middle("fragment1")), errNothingToContinue),
		broken("5.17", twice(last("fragment1")), errNothingToContinue),
		broken("5.18", []sent{first("fragment1"), text("fragment2")}, errMessageUnfinished),
		clean("5.19-5.20", five, reply{OpPong, "pongme 1!"}, reply{OpPong, "pongme 2!"},
			reply{OpText, "fragment1fragment2fragment3fragment4fragment5"}),
	})
}
