package jsontext_test

import (
	"testing"

	"github.com/gale-server/gale/handlers/internal/jsontext"
)

func TestHalves(t *testing.T) {
	for text, want := range map[string]int{
		``:                                 0,
		`"x"`:                              0,
		`"\ud83d\ude00"`:                   0,
		`"\uD83D\uDE00"`:                   0,
		`"\\ud800"`:                        0,
		`"\ud800"`:                         1,
		`"\udc00"`:                         1,
		`"\udc00\ud800"`:                   2,
		`"\ud83dx\ude00"`:                  2,
		`"\ud83d\n\ude00"`:                 2,
		`"\ud83d\ud83d\ude00"`:             1,
		`"\\\ud800"`:                       1,
		`{"\ud800":["\udfff"],"x":"\u00"}`: 2,
		`"\ud8`:                            0,
		`\`:                                0,
	} {
		if n := jsontext.Halves([]byte(text)); n != want {
			t.Errorf("%s: %d, want %d", text, n, want)
		}
	}
}
