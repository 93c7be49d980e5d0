package autobahn

import "fmt"

// UTF8Group is a group of texts that are, or are not, valid UTF-8.
//
// Safe for concurrent use: only read.
type UTF8Group struct {
	ID             string
	Valid, Invalid []string
}

// UTF8Groups are 6.5 to 6.23, after Markus Kuhn's UTF-8 decoder stress test
// (https://www.cl.cam.ac.uk/~mgk25/ucs/examples/UTF-8-test.txt). Each holds
// valid and invalid texts; which is which, unicode/utf8 does not decide here.
var UTF8Groups = []UTF8Group{
	{ID: "6.5", Valid: []string{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world",
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"}},
	{ID: "6.6 prefixes",
		Valid: []string{"\xce\xba", "\xce\xba\xe1\xbd\xb9", "\xce\xba\xe1\xbd\xb9\xcf\x83",
			"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"},
		Invalid: []string{"\xce", "\xce\xba\xe1", "\xce\xba\xe1\xbd", "\xce\xba\xe1\xbd\xb9\xcf",
			"\xce\xba\xe1\xbd\xb9\xcf\x83\xce", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce"}},
	{ID: "6.7 first of a length", Valid: []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
	{ID: "6.8 first of length 5, 6", Invalid: []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
	{ID: "6.9 last of a length", Valid: []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
	{ID: "6.10 last of length 4, 5, 6", Invalid: []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
	{ID: "6.11 boundaries", Valid: []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"},
		Invalid: []string{"\xf4\x90\x80\x80"}},
	{ID: "6.12 unexpected continuation", Invalid: []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf",
		"\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", byteRange(0x80, 0xbe, "")}},
	{ID: "6.13 lonely first bytes", Invalid: []string{byteRange(0xc0, 0xde, " "), byteRange(0xe0, 0xee, " "),
		byteRange(0xf0, 0xf6, " "), byteRange(0xf8, 0xfa, " "), byteRange(0xfc, 0xfc, " ")}},
	{ID: "6.14 last byte missing", Invalid: []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}},
	{ID: "6.15 incomplete in a row", Invalid: []string{"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80" +
		"\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"}},
	{ID: "6.16 impossible bytes", Invalid: []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
	{ID: "6.17 overlong slash", Invalid: []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
		"\xfc\x80\x80\x80\x80\xaf"}},
	{ID: "6.18 longest overlong", Invalid: []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
		"\xfc\x83\xbf\xbf\xbf\xbf"}},
	{ID: "6.19 overlong NUL", Invalid: []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
		"\xfc\x80\x80\x80\x80\x80"}},
	{ID: "6.20 surrogates", Invalid: []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
		"\xed\xbe\x80", "\xed\xbf\xbf"}},
	{ID: "6.21 surrogate pairs", Invalid: []string{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80",
		"\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80",
		"\xed\xaf\xbf\xed\xbf\xbf"}},
	{ID: "6.22 non-characters", Valid: nonCharacters()},
	{ID: "6.23 specials", Valid: []string{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd",
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

// sequences is groups 6.5 to 6.23: each text in one frame, and octet by octet.
func sequences() (cases []Case) {
	for _, group := range UTF8Groups {
		for i, s := range group.Valid {
			id := fmt.Sprintf("%s, valid %d", group.ID, i)
			cases = append(cases,
				clean(id, []Frame{Text(s)}, Reply{OpText, s}),
				clean(id+", in fragments", Fragments(OpText, s, 1), Reply{OpText, s}))
		}
		for i, s := range group.Invalid {
			id := fmt.Sprintf("%s, invalid %d", group.ID, i)
			cases = append(cases,
				broken(id, TextNotUTF8, []Frame{Text(s)}),
				broken(id+", in fragments", TextNotUTF8, Fragments(OpText, s, 1)))
		}
	}
	return cases
}
