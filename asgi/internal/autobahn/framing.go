package autobahn

import "fmt"

const hello = "Hello, world!"

// framing is group 1, messages at the borders of the length forms.
func framing() (cases []Case) {
	for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
		text, raw := Repeat("*", size), Repeat("\xfe", size)
		texts := clean(fmt.Sprintf("1.1.%d", i+1), []Frame{Text(text)}, Reply{OpText, text})
		binaries := clean(fmt.Sprintf("1.2.%d", i+1), []Frame{Binary(raw)}, Reply{OpBinary, raw})
		if i == 7 {
			texts, binaries = texts.chopped(997), binaries.chopped(997)
		}
		cases = append(cases, texts, binaries)
	}
	return cases
}

// pings is group 2.
func pings() []Case {
	const raw = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	long := Repeat("\xfe", 125)
	var ten []Frame
	var tenBack []Reply
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten, tenBack = append(ten, Ping(payload)), append(tenBack, Reply{OpPong, payload})
	}
	return []Case{
		clean("2.1", []Frame{Ping("")}, Reply{OpPong, ""}),
		clean("2.2", []Frame{Ping(hello)}, Reply{OpPong, hello}),
		clean("2.3", []Frame{Ping(raw)}, Reply{OpPong, raw}),
		clean("2.4", []Frame{Ping(long)}, Reply{OpPong, long}),
		broken("2.5", ControlTooLong, []Frame{Ping(Repeat("\xfe", 126))}),
		clean("2.6", []Frame{Ping(long)}, Reply{OpPong, long}).chopped(1),
		clean("2.7", []Frame{Pong("")}),
		clean("2.8", []Frame{Pong("unsolicited pong payload")}),
		clean("2.9", []Frame{Pong("unsolicited pong payload"), Ping("ping payload")}, Reply{OpPong, "ping payload"}),
		clean("2.10", ten, tenBack...),
		clean("2.11", ten, tenBack...).chopped(1),
	}
}

// reservedBits is group 3.
func reservedBits() []Case {
	rsv := func(op, bits byte, payload string) Frame { return Frame{Op: op, RSV: bits, Payload: payload} }
	after := func(id string, bits byte) Case {
		return broken(id, ReservedBits, []Frame{Text(hello), rsv(OpText, bits, hello), Ping("")}, Reply{OpText, hello})
	}
	return []Case{
		broken("3.1", ReservedBits, []Frame{rsv(OpText, 1, hello)}),
		after("3.2", 2),
		after("3.3", 3),
		after("3.4", 4).chopped(1),
		broken("3.5", ReservedBits, []Frame{rsv(OpBinary, 5, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}),
		broken("3.6", ReservedBits, []Frame{rsv(OpPing, 6, hello)}),
		broken("3.7", ReservedBits, []Frame{rsv(OpClose, 7, "")}),
	}
}

// opcodes is group 4.
func opcodes() []Case {
	alone := func(id string, op byte, payload string) Case {
		return broken(id, ReservedOpcode, []Frame{{Op: op, Payload: payload}})
	}
	after := func(id string, op byte, payload string) Case {
		frames := []Frame{Text(hello), {Op: op, Payload: payload}, Ping("")}
		return broken(id, ReservedOpcode, frames, Reply{OpText, hello})
	}
	return []Case{
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
	}
}

// fragmentation is group 5.
func fragmentation() []Case {
	two := []Frame{First("fragment1"), Last("fragment2")}
	twoBack := Reply{OpText, "fragment1fragment2"}
	pinged := []Frame{First("fragment1"), Ping("ping payload"), Last("fragment2")}
	orphan := func(f Frame) []Frame { return []Frame{f, Text(hello)} }
	twice := func(f Frame) []Frame {
		return []Frame{f, First("fragment2"), Last("fragment3"), f, First("fragment2"), Last("fragment3")}
	}
	five := []Frame{
		First("fragment1"), Middle("fragment2"), Ping("pongme 1!"),
		Middle("fragment3"), Middle("fragment4"), Ping("pongme 2!"), Last("fragment5"),
	}
	return []Case{
		broken("5.1", ControlFragmented, []Frame{{Op: OpPing, More: true, Payload: "fragment1"}, Last("fragment2")}),
		broken("5.2", ControlFragmented, []Frame{{Op: OpPong, More: true, Payload: "fragment1"}, Last("fragment2")}),
		clean("5.3-5.5", two, twoBack),
		clean("5.6-5.8", pinged, Reply{OpPong, "ping payload"}, twoBack),
		broken("5.9-5.11", NothingToContinue, orphan(Last("non-continuation payload"))),
		broken("5.12-5.14", NothingToContinue, orphan(Middle("non-continuation payload"))),
		broken("5.15", NothingToContinue,
			[]Frame{First("fragment1"), Last("fragment2"), Middle("fragment3"), Text("fragment4")}, twoBack),
		broken("5.16", NothingToContinue, twice(Middle("fragment1"))),
		broken("5.17", NothingToContinue, twice(Last("fragment1"))),
		broken("5.18", MessageUnfinished, []Frame{First("fragment1"), Text("fragment2")}),
		clean("5.19-5.20", five, Reply{OpPong, "pongme 1!"}, Reply{OpPong, "pongme 2!"},
			Reply{OpText, "fragment1fragment2fragment3fragment4fragment5"}),
	}
}
