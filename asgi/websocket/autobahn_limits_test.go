package websocket

import (
	"fmt"
	"testing"
)

const (
	limitsText   = "BAsd7&jh23"
	limitsBinary = "\x00\xfe\x23\xfa\xf0"
)

// TestAutobahnSizes: groups 9.1 and 9.2, one frame up to the default limit.
func TestAutobahnSizes(t *testing.T) {
	for i, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
		if testing.Short() && size > 1<<20 {
			continue
		}
		data, raw := repeat(limitsText, size), repeat(limitsBinary, size)
		runLarge(t, clean(fmt.Sprintf("9.1.%d", i+1), []sent{text(data)}, reply{OpText, data}))
		runLarge(t, clean(fmt.Sprintf("9.2.%d", i+1), []sent{binaryOf(raw)}, reply{OpBinary, raw}))
	}
}

// TestAutobahnFragments: groups 9.3 and 9.4, 4 MiB in fragments.
func TestAutobahnFragments(t *testing.T) {
	const size = 4 << 20
	data, raw := repeat("*", size), repeat("\xfe", size)
	for i, part := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
		if testing.Short() && i > 0 {
			continue
		}
		runLarge(t, clean(fmt.Sprintf("9.3.%d", i+1), fragments(OpText, data, part), reply{OpText, data}))
		runLarge(t, clean(fmt.Sprintf("9.4.%d", i+1), fragments(OpBinary, raw, part), reply{OpBinary, raw}))
	}
}

// TestAutobahnChops: groups 9.5 and 9.6, 1 MiB in one frame that comes in chops.
func TestAutobahnChops(t *testing.T) {
	const size = 1 << 20
	data, raw := repeat(limitsText, size), repeat(limitsBinary, size)
	for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
		if testing.Short() && i > 0 {
			continue
		}
		runLarge(t, clean(fmt.Sprintf("9.5.%d", i+1), []sent{text(data)}, reply{OpText, data}).chopped(chop))
		runLarge(t, clean(fmt.Sprintf("9.6.%d", i+1), []sent{binaryOf(raw)}, reply{OpBinary, raw}).chopped(chop))
	}
}

// TestAutobahnRoundTrips: groups 9.7 and 9.8, 1000 messages on one connection.
func TestAutobahnRoundTrips(t *testing.T) {
	for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
		for group, data := range map[int]sent{7: text(repeat("*", size)), 8: binaryOf(repeat("\xfe", size))} {
			var frames []sent
			var back []reply
			for range 1000 {
				frames, back = append(frames, data), append(back, reply{data.op, data.payload})
			}
			runLarge(t, clean(fmt.Sprintf("9.%d.%d", group, i+1), frames, back...))
		}
	}
}

// TestAutobahnAutoFragmentation: 10.1.1. The fragments are the client's own.
func TestAutobahnAutoFragmentation(t *testing.T) {
	data := repeat("*", 65536)
	frames := fragments(OpText, data, 1300)
	if want := 65536/1300 + 1; len(frames) != want {
		t.Fatalf("%d frames, want %d", len(frames), want)
	}
	v := clean("10.1.1", frames, reply{OpText, data})
	t.Run(v.id, v.run)
}

// runLarge runs a case whole and in its chops, or in pieces as a socket gives
// them.
func runLarge(t *testing.T, v vector) {
	t.Run(v.id, func(t *testing.T) {
		if v.chop == 0 {
			v.chop = 64 << 10
		}
		checkReplies(t, "whole", runEcho(t, nil, v.in, whole), v.want)
		checkReplies(t, "chopped", runEcho(t, nil, v.in, chops(v.chop)), v.want)
	})
}
