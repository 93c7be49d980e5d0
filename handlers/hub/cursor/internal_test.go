package cursor

import (
	"slices"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// A token whose code is right and whose contents are not is refused: a secret may
// be shared with a version of this package that writes otherwise.
func TestSignedNonsense(t *testing.T) {
	s, err := New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	channels := []string{"a"}
	// Each but the anonymous one begins with the expiry, the user and when that was proven.
	good := []byte{2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 1, 'e', 5}
	open := func(p []byte) (Cursor, error) {
		return s.Open(encoding.EncodeToString(s.keys[0].appendCode(slices.Clone(p), p, channels, []int{0})), channels, "u", time.Unix(0, 0))
	}
	if c, err := open(good); err != nil || c.Places[0] != (hub.Position{Epoch: "e", Offset: 5}) || c.Proven != time.Unix(9, 0) {
		t.Fatalf("%+v, %v", c, err)
	}
	for what, p := range map[string][]byte{
		"another version":       {1, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 1, 'e', 5},
		"nothing":               {},
		"half an expiry":        {2, 0, 0},
		"no user":               {2, 0, 0, 0, 0},
		"half a user":           {2, 0, 0, 0, 0, 2, 'u'},
		"no time of the proof":  {2, 0, 0, 0, 0, 1, 'u'},
		"half a time of it":     {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0},
		"no place":              {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9},
		"half an epoch":         {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 9, 'e'},
		"no offset":             {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 1, 'e'},
		"half an offset":        {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 1, 'e', 0x80},
		"an offset too large":   {2, 0, 0, 0, 0, 1, 'u', 0, 0, 0, 9, 1, 'e', 255, 255, 255, 255, 255, 255, 255, 255, 255, 2},
		"a length too large":    {2, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"something behind":      append(slices.Clone(good), 0),
		"a place of no channel": append(slices.Clone(good), 1, 'e', 5),
	} {
		if c, err := open(p); err != errBad || c.Places != nil {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}
