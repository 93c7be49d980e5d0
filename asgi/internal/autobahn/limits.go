package autobahn

import "fmt"

const (
	limitsText   = "BAsd7&jh23"
	limitsBinary = "\x00\xfe\x23\xfa\xf0"
)

// sizes is groups 9.1 and 9.2, one frame.
func sizes() (cases []Case) {
	for i, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
		text, raw := Repeat(limitsText, size), Repeat(limitsBinary, size)
		cases = append(cases,
			clean(fmt.Sprintf("9.1.%d", i+1), []Frame{Text(text)}, Reply{OpText, text}),
			clean(fmt.Sprintf("9.2.%d", i+1), []Frame{Binary(raw)}, Reply{OpBinary, raw}))
	}
	return cases
}

// manyFragments is groups 9.3 and 9.4, 4 MiB in fragments.
func manyFragments() (cases []Case) {
	const size = 4 << 20
	text, raw := Repeat("*", size), Repeat("\xfe", size)
	for i, part := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
		cases = append(cases,
			clean(fmt.Sprintf("9.3.%d", i+1), Fragments(OpText, text, part), Reply{OpText, text}),
			clean(fmt.Sprintf("9.4.%d", i+1), Fragments(OpBinary, raw, part), Reply{OpBinary, raw}))
	}
	return cases
}

// manyChops is groups 9.5 and 9.6, 1 MiB in one frame that comes in chops.
func manyChops() (cases []Case) {
	const size = 1 << 20
	text, raw := Repeat(limitsText, size), Repeat(limitsBinary, size)
	for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
		cases = append(cases,
			clean(fmt.Sprintf("9.5.%d", i+1), []Frame{Text(text)}, Reply{OpText, text}).chopped(chop),
			clean(fmt.Sprintf("9.6.%d", i+1), []Frame{Binary(raw)}, Reply{OpBinary, raw}).chopped(chop))
	}
	return cases
}

// roundTrips is groups 9.7 and 9.8, 1000 messages on one connection.
func roundTrips() (cases []Case) {
	for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
		for group, data := range []Frame{Text(Repeat("*", size)), Binary(Repeat("\xfe", size))} {
			var frames []Frame
			var back []Reply
			for range 1000 {
				frames, back = append(frames, data), append(back, Reply{data.Op, data.Payload})
			}
			c := clean(fmt.Sprintf("9.%d.%d", 7+group, i+1), frames, back...)
			c.Turns = true
			cases = append(cases, c)
		}
	}
	return cases
}

// autoFragmentation is group 10. The fragments are the client's own.
func autoFragmentation() []Case {
	text := Repeat("*", 65536)
	return []Case{clean("10.1.1", Fragments(OpText, text, 1300), Reply{OpText, text})}
}
