package websocket

import (
	"fmt"
	"testing"
)

// greek is 11 bytes; its second letter is U+1F79, of three.
const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// TestAutobahnText: groups 6.1 to 6.3, text over fragments.
func TestAutobahnText(t *testing.T) {
	const hello = "Hello-µ@ßöäüàá-UTF-8!!"
	const surrogate = greek + "\xed\xa0\x80" + "edited"
	runVectors(t, []vector{
		clean("6.1.1", []sent{text("")}, reply{OpText, ""}),
		clean("6.1.2", []sent{first(""), middle(""), last("")}, reply{OpText, ""}),
		clean("6.1.3", []sent{first(""), middle("middle frame payload"), last("")}, reply{OpText, "middle frame payload"}),
		clean("6.2.1", []sent{text(hello)}, reply{OpText, hello}),
		clean("6.2.2", []sent{first("Hello-µ@ßöä"), last("üàá-UTF-8!!")}, reply{OpText, hello}),
		clean("6.2.3", fragments(OpText, hello, 1), reply{OpText, hello}),
		clean("6.2.4", fragments(OpText, greek, 1), reply{OpText, greek}),
		broken("6.3.1", []sent{text(surrogate)}, errNotUTF8),
		broken("6.3.2", fragments(OpText, surrogate, 1), errNotUTF8),
	})
}

// TestAutobahnFailFast: group 6.4. The text is U+110000 after five letters; its
// second byte, number 13 of the payload, is the first that cannot be. The suite
// waits before and after it, for a frame and for a part of a frame.
func TestAutobahnFailFast(t *testing.T) {
	const payload = greek + "\xf4\x90\x80\x80" + "edited"
	const good = 12 // payload bytes
	for _, c := range []struct {
		id     string
		frames []sent
		head   int // header bytes before and with the bad byte
	}{
		{"6.4.1", []sent{first(payload[:11]), middle(payload[11:15]), last(payload[15:])}, 12},
		{"6.4.2", []sent{first(payload[:12]), middle(payload[12:13]), last(payload[13:])}, 12},
		{"6.4.3-6.4.4", []sent{text(payload)}, 6},
	} {
		t.Run(c.id, func(t *testing.T) {
			broken(c.id, c.frames, errNotUTF8).run(t)
			got := checkSplits(t, nil, stream(c.frames...))
			if want := c.head + good + 1; got.failedAt != want {
				t.Fatalf("failed at byte %d, want %d", got.failedAt, want)
			}
		})
	}
}

// utf8Groups are 6.5 to 6.23, after Markus Kuhn's UTF-8 decoder stress test
// (https://www.cl.cam.ac.uk/~mgk25/ucs/examples/UTF-8-test.txt). Each holds
// valid and invalid texts; which is which, unicode/utf8 does not decide here.
var utf8Groups = []struct {
	id             string
	valid, invalid []string
}{
	{id: "6.5", valid: []string{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world",
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"}},
	{id: "6.6 prefixes",
		valid: []string{"\xce\xba", "\xce\xba\xe1\xbd\xb9", "\xce\xba\xe1\xbd\xb9\xcf\x83",
			"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"},
		invalid: []string{"\xce", "\xce\xba\xe1", "\xce\xba\xe1\xbd", "\xce\xba\xe1\xbd\xb9\xcf",
			"\xce\xba\xe1\xbd\xb9\xcf\x83\xce", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce"}},
	{id: "6.7 first of a length", valid: []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
	{id: "6.8 first of length 5, 6", invalid: []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
	{id: "6.9 last of a length", valid: []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
	{id: "6.10 last of length 4, 5, 6", invalid: []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
	{id: "6.11 boundaries", valid: []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"},
		invalid: []string{"\xf4\x90\x80\x80"}},
	{id: "6.12 unexpected continuation", invalid: []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf",
		"\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", byteRange(0x80, 0xbe, "")}},
	{id: "6.13 lonely first bytes", invalid: []string{byteRange(0xc0, 0xde, " "), byteRange(0xe0, 0xee, " "),
		byteRange(0xf0, 0xf6, " "), byteRange(0xf8, 0xfa, " "), byteRange(0xfc, 0xfc, " ")}},
	{id: "6.14 last byte missing", invalid: []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}},
	{id: "6.15 incomplete in a row", invalid: []string{"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80" +
		"\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"}},
	{id: "6.16 impossible bytes", invalid: []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
	{id: "6.17 overlong slash", invalid: []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
		"\xfc\x80\x80\x80\x80\xaf"}},
	{id: "6.18 longest overlong", invalid: []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
		"\xfc\x83\xbf\xbf\xbf\xbf"}},
	{id: "6.19 overlong NUL", invalid: []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
		"\xfc\x80\x80\x80\x80\x80"}},
	{id: "6.20 surrogates", invalid: []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
		"\xed\xbe\x80", "\xed\xbf\xbf"}},
	{id: "6.21 surrogate pairs", invalid: []string{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80",
		"\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80",
		"\xed\xaf\xbf\xed\xbf\xbf"}},
	{id: "6.22 non-characters", valid: nonCharacters()},
	{id: "6.23 specials", valid: []string{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd",
		"\xef\xbf\xbe", "\xef\xbf\xbf"}},
}

// byteRange is the bytes from low to high, each followed by after.
func byteRange(low, high byte, after string) string {
	var s string
	for b := int(low); b <= int(high); b++ {
		s += string([]byte{byte(b)}) + after
	}
	return s
}

// nonCharacters are U+nFFFE and U+nFFFF of every plane: odd, but valid.
func nonCharacters() []string {
	var all []string
	for plane := rune(0); plane <= 0x10; plane++ {
		all = append(all, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return all
}

// TestAutobahnSequences: groups 6.5 to 6.23.
func TestAutobahnSequences(t *testing.T) {
	for _, group := range utf8Groups {
		t.Run(group.id, func(t *testing.T) {
			for i, s := range group.valid {
				clean(fmt.Sprint(i), []sent{text(s)}, reply{OpText, s}).run(t)
				clean(fmt.Sprint(i), fragments(OpText, s, 1), reply{OpText, s}).run(t)
			}
			for i, s := range group.invalid {
				broken(fmt.Sprint(i), []sent{text(s)}, errNotUTF8).run(t)
				broken(fmt.Sprint(i), fragments(OpText, s, 1), errNotUTF8).run(t)
			}
		})
	}
}
