package websocket

import (
	"testing"

	"github.com/gale-server/gale/asgi/internal/autobahn"
	"github.com/gale-server/gale/internal/longtest"
)

// broken is the error for each rule that a case breaks.
var broken = map[autobahn.Rule]*Error{
	autobahn.ReservedBits:       errReservedBits,
	autobahn.ReservedOpcode:     errReservedOpcode,
	autobahn.NothingToContinue:  errNothingToContinue,
	autobahn.MessageUnfinished:  errMessageUnfinished,
	autobahn.ControlFragmented:  errControlFragmented,
	autobahn.ControlTooLong:     errControlTooLong,
	autobahn.CloseTooShort:      errCloseTooShort,
	autobahn.CloseReasonNotUTF8: errCloseReason,
	autobahn.CloseCodeReserved:  errCloseCode,
	autobahn.TextNotUTF8:        errNotUTF8,
}

// wanted is all that c's client must get, the close included.
func wanted(t *testing.T, c autobahn.Case) []reply {
	t.Helper()
	want := c.Want[:len(c.Want):len(c.Want)]
	if c.Breaks == autobahn.NoRule {
		if c.Close == 0 {
			return append(want, answer(OpClose, ""))
		}
		return append(want, closeReply(c.Close, ""))
	}
	err := broken[c.Breaks]
	if err.Code != c.Close {
		t.Fatalf("the machine closes with %d for what the case closes with %d", err.Code, c.Close)
	}
	return append(want, closeReply(err.Code, err.Reason))
}

// TestAutobahn holds every case whole, cut in every way, and with data after its
// end.
func TestAutobahn(t *testing.T) {
	for _, group := range autobahn.Groups {
		t.Run(group.Name, func(t *testing.T) {
			for _, c := range group.Cases() {
				t.Run(c.ID, func(t *testing.T) { runCase(t, c) })
			}
		})
	}
}

func runCase(t *testing.T, c autobahn.Case) {
	cfg, in, want := new(Config), c.Stream(), wanted(t, c)
	got := checkSplits(t, cfg, in)
	if c.FailsAt > 0 && got.failedAt != c.FailsAt {
		t.Fatalf("failed at byte %d, want %d", got.failedAt, c.FailsAt)
	}
	for name, in := range map[string][]byte{
		"alone":              in,
		"with a frame after": append(in[:len(in):len(in)], stream(text("after the end"), ping(""))...),
		"with trash after":   append(in[:len(in):len(in)], 0xff, 0xff, 0x00),
	} {
		checkReplies(t, name, runEcho(t, cfg, in, whole), want)
		if len(in) <= 1<<17 {
			checkReplies(t, name+", byte by byte", runEcho(t, cfg, in, chops(1)), want)
		}
		if c.Chop > 0 {
			checkReplies(t, name+", chopped", runEcho(t, cfg, in, chops(c.Chop)), want)
		}
	}
}

// TestAutobahnLimits runs each case whole and in its chops, or in pieces as a
// socket gives them.
func TestAutobahnLimits(t *testing.T) {
	for _, group := range autobahn.LargeGroups {
		t.Run(group.Name, func(t *testing.T) {
			for _, c := range group.Cases() {
				in := c.Stream()
				if !longtest.On() && len(in) > 2<<20 {
					continue
				}
				if c.Chop == 0 {
					c.Chop = 64 << 10
				}
				t.Run(c.ID, func(t *testing.T) {
					checkReplies(t, "whole", runEcho(t, nil, in, whole), wanted(t, c))
					checkReplies(t, "chopped", runEcho(t, nil, in, chops(c.Chop)), wanted(t, c))
				})
			}
		})
	}
}

// TestAutobahnNumbers counts the cases, so that none is lost.
func TestAutobahnNumbers(t *testing.T) {
	for _, tt := range []struct {
		groups []autobahn.Group
		want   []int
	}{
		{autobahn.Groups, []int{16, 11, 7, 10, 11, 9, 3, 264, 15, 22, 1}},
		{autobahn.LargeGroups, []int{12, 18, 12, 12}},
	} {
		for i, group := range tt.groups {
			if n := len(group.Cases()); n != tt.want[i] {
				t.Errorf("group %s has %d cases, want %d", group.Name, n, tt.want[i])
			}
		}
	}
}
