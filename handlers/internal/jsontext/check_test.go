package jsontext_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/internal/jsontext"
)

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// many is an object of n keys and another one.
func many(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return "{" + b.String() + more + "}"
}

func TestCheck(t *testing.T) {
	for text, wrong := range map[string]string{
		`null`: "", ` true `: "", `false`: "", `""`: "", `[]`: "", `{}`: "", "\t[ 1 , -2.5e3 ]\r\n": "",
		`{"a":{"b":[1,{"a":2}]},"c":"}\"]"}`: "",
		`"\ud83d\ude00 \u0000 \u2028"`:       "",
		"\"\u2028\"":                         "",
		`1.7e308`:                            "", `1e-999`: "", `-0`: "",
		strings.Repeat("9", 308):         "",
		"0." + strings.Repeat("1", 1000): "",
		nested(64):                       "",
		`"` + nested(100) + `"`:          "",
		many(40, `"":0`):                 "",
		many(15, `"k":0`):                "",
		`[{"a":1},{"a":1}]`:              "",
		``:                               "no JSON",
		`[`:                              "no JSON",
		`1 2`:                            "no JSON",
		"\"\x00\"":                       "no JSON",
		`NaN`:                            "no JSON",
		"\"\xff\"":                       "UTF-8",
		"\"\xed\xa0\x80\"":               "UTF-8",
		nested(65):                       "nested",
		strings.Repeat("[", 10_000):      "nested",
		strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65): "nested",
		`["\ud800"]`:                             "surrogate",
		`{"\udc00":1}`:                           "surrogate",
		`1e309`:                                  "number",
		`[-1E+999]`:                              "number",
		`{"a":` + strings.Repeat("9", 400) + `}`: "number",
		`{"a":1,"a":1}`:                          "twice",
		`{"a":1,"\u0061":1}`:                     "twice",
		`[{"b":{"x":1,"y":2,"x":3}}]`:            "twice",
		many(40, `"k7":0`):                       "twice",
		many(15, `"k7":0`):                       "twice",
		many(16, `"k15":0`):                      "twice",
		many(8191, `"":0`):                       "",
		many(8192, `"":0`):                       "8192",
	} {
		err := jsontext.Check([]byte(text), jsontext.MaxDepth)
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%.60q: %v, want %q", text, err, wrong)
		}
	}
}

// What passes is valid, and the others do no harm.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":"\ud83d\ude00"}],"c":1e9,"d":null}`))
	f.Add([]byte(`[[[{"a":1 , "a":2}]]] `))
	f.Fuzz(func(t *testing.T, p []byte) {
		if err := jsontext.Check(p, 8); err == nil {
			var v any
			if err := json.Unmarshal(p, &v); err != nil {
				t.Errorf("%q: %v", p, err)
			}
		}
	})
}
