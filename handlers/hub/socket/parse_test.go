package socket

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gale-server/gale/handlers/internal/jsontext"
)

// FuzzParse compares what takes messages apart with package json.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"connect":{"token":"x"}}`,
		` [ {"id" : 2 , "subscribe":{"channel":"a","after":{"epoch":"e","offset":5}}} , {"id":3,"ping":{}}, 7, "],{" ] `,
		`{"id":4,"publish":{"channel":"a","data":[1,{"a\\":"\"}"},-1.5e3,true,null],"tags":{"k":"\u0041\ud83d\ude00"}}}`,
		`[]`, `{}`, `[[]]`, `"\""`, ` 12 `, `[1,2,3`, `{"a"}`, "\xff", `"\ud800"`, strings.Repeat("[", 65), strings.Repeat("[", 64) + strings.Repeat("]", 64),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		valid := json.Valid(message)
		if err := check(message); (err == nil) != valid && !jsontext.Deeper(message, maxDepth) {
			t.Fatalf("valid %v, but %v", valid, err)
		}
		if check(message) != nil {
			return
		}
		trimmed := bytes.TrimSpace(message)
		want := []json.RawMessage{trimmed}
		if trimmed[0] == '[' {
			want = nil
			if err := json.Unmarshal(message, &want); err != nil {
				t.Fatal(err)
			}
		}
		for value, rest := nextValue(list(message)); value != nil; value, rest = nextValue(rest) {
			if len(want) == 0 || !bytes.Equal(bytes.TrimSpace(want[0]), value) {
				t.Fatalf("%q has the value %q, of %q", message, value, want)
			}
			want = want[1:]
			compareObject(t, value)
			if c, err := parseCommand(value); err == nil {
				_, _ = parseArgs(c.body, c.does.keys)
			}
		}
		if len(want) > 0 {
			t.Fatalf("%q has the values %q too", message, want)
		}
	})
}

// compareObject compares the members of an object with those that json sees.
func compareObject(t *testing.T, value []byte) {
	if value[0] == '"' && utf8.Valid(value) {
		compareString(t, value)
	}
	if value[0] != '{' {
		return
	}
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	key, v, rest := nextMember(value[1:])
	for ; d.More(); key, v, rest = nextMember(rest) {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		var s string
		if err := json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &s); err != nil || s != name || !bytes.Equal(raw, v) {
			t.Fatalf("%q: member %q: %q, %v, want %q: %q", value, key, v, err, name, raw)
		}
		compareObject(t, v)
	}
	if key != nil {
		t.Fatalf("%q has a member %q too", value, key)
	}
}

func compareString(t *testing.T, value []byte) {
	s, err := readString(value)
	var want string
	if json.Unmarshal(value, &want) != nil {
		t.Fatalf("%q is no string", value)
	}
	if err == nil && s != want || err != nil && !strings.Contains(want, "\uFFFD") {
		t.Fatalf("%q is %q, %v, want %q", value, s, err, want)
	}
	plain := strings.ToLower(strings.ReplaceAll(string(value), `\\`, "")) // escapes begin with the backslashes that are left
	if honest := strings.Count(plain, "\uFFFD") + strings.Count(plain, `\ufffd`); err == nil && strings.Count(want, "\uFFFD") != honest {
		t.Fatalf("%q lost something: %q", value, s)
	}
}
