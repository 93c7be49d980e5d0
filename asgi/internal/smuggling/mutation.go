package smuggling

import (
	"fmt"
	"strings"
)

// mutation disguises a framing field, so that one recipient sees it and another
// does not. The set is that of the permutations of
// https://github.com/PortSwigger/http-request-smuggler for HTTP/1.1, and what
// its permutations for HTTP/2 leave behind after a careless downgrade.
type mutation struct {
	name  string
	field func(name, value string) string
}

func mutations() []mutation {
	line := func(name, value string) string { return name + ": " + value }
	all := []mutation{
		{"vanilla", line},
		{"underjoin", func(n, v string) string { return line(strings.ReplaceAll(n, "-", "_"), v) }},
		{"spacejoin", func(n, v string) string { return line(strings.ReplaceAll(n, "-", " "), v) }},
		{"backslash", func(n, v string) string { return line(strings.ReplaceAll(n, "-", "\\"), v) }},
		{"space", func(n, v string) string { return n + " : " + v }},
		{"spjunk", func(n, v string) string { return n + " x: " + v }},
		{"nospace", func(n, v string) string { return n + ":" + v }},
		{"nameprefix SP", func(n, v string) string { return "Foo: bar\r\n " + line(n, v) }},
		{"nameprefix HTAB", func(n, v string) string { return "Foo: bar\r\n\t" + line(n, v) }},
		{"valueprefix", func(n, v string) string { return n + ":  " + v }},
		{"linewrapped", func(n, v string) string { return n + ":\n " + v }},
		{"tabwrap", func(n, v string) string { return n + ": \r\n\t" + v }},
		{"vertwrap", func(n, v string) string { return n + ": \n\x0b" + v }},
		{"gareth", func(n, v string) string { return n + "\n : " + v }},
		{"badsetup CR", func(n, v string) string { return "Foo: bar\r" + line(n, v) }},
		{"badsetup LF", func(n, v string) string { return "Foo: bar\n" + line(n, v) }},
		{"badwrap", func(n, v string) string { return "X-Blah-Ignore: x\r\n " + line(n, v) }},
		{"bodysplit", func(n, v string) string { return "Foo: barn\n\n" + line(n, v) }},
		{"0dwrap", func(n, v string) string { return "Foo: bar\r\n\r" + line(n, v) }},
		{"0dspam", func(n, v string) string { return n[:3] + "\r" + line(n[3:], v) }},
		{"0dsuffix", func(n, v string) string { return line(n, v) + "\r" }},
		{"multicase", func(n, v string) string { return line(strings.ToLower(n[:1])+strings.ToUpper(n[1:]), v) }},
		{"uppercase", func(n, v string) string { return line(strings.ToUpper(n), v) }},
		{"uppercase value", func(n, v string) string { return line(n, strings.ToUpper(v)) }},
		{"connection", func(n, v string) string { return line("Connection", n) + "\r\n" + line(n, v) }},
		{"spaceFF", func(n, v string) string { return n + ":\xff" + v }},
		{"unispace", func(n, v string) string { return n + ":\xa0" + v }},
		{"accented name", func(n, v string) string { return line(n[:6]+"\x82"+n[7:], v) }},
		{"accented value", func(n, v string) string { return line(n, v[:len(v)-1]+"\x96") }},
		{"encoded", func(n, v string) string { return line(n[:3]+"%45"+n[4:], v) }},
		{"quoted", func(n, v string) string { return line(n, `"`+v+`"`) }},
		{"aposed", func(n, v string) string { return line(n, "'"+v+"'") }},
		{"lazygrep", func(n, v string) string { return line(n, v[:len(v)-1]) }},
		{"comma before", func(n, v string) string { return line(n, "identity, "+v) }},
		{"comma after", func(n, v string) string { return line(n, v+", identity") }},
		{"nested", func(n, v string) string { return line(n, "identity, "+v+", identity") }},
		{"twice in one line", func(n, v string) string { return line(n, v+", "+v) }},
		{"empty element", func(n, v string) string { return line(n, ","+v) }},
		{"dual", func(n, v string) string { return line(n, v) + "\r\n" + line(n, "identity") }},
		{"reverse dual", func(n, v string) string { return line(n, "identity") + "\r\n" + line(n, v) }},
		{"empty and full", func(n, v string) string { return line(n, "") + "\r\n" + line(n, v) }},
		{"other name", func(n, v string) string { return line("Content-Encoding", v) }},
		{"parameter", func(n, v string) string { return line(n, v+";q=1") }},
		{"plus", func(n, v string) string { return line(n, "+"+v) }},
		{"minus", func(n, v string) string { return line(n, "-"+v) }},
		{"0x", func(n, v string) string { return line(n, "0x"+v) }},
		{"zero", func(n, v string) string { return line(n, "0"+v) }},
		{"underscore value", func(n, v string) string { return line(n, v[:1]+"_"+v[1:]) }},
		{"h2 hide", func(n, v string) string { return "Foo: b^~" + line(n, v) + "^~x: x" }},
		{"h2 colon", func(n, v string) string { return n + "`" + v + " : " + v }},
		{"h2 authority", func(n, v string) string { return ":authority: a:443\r\n" + line(n, v) }},
		{"h2 path", func(n, v string) string { return ":path: / HTTP/1.1\r\n" + line(n, v) }},
		{"h2 method", func(n, v string) string { return ":method: POST / HTTP/1.1\r\n" + line(n, v) }},
		{"h2 space", func(n, v string) string { return n + " " + v + " : " + v }},
	}
	for _, c := range []byte{0, '\t', '\v', '\f', '\r', 0x7f, 0x85, 0xa0} {
		s := string([]byte{c})
		all = append(all,
			mutation{fmt.Sprintf("spacefix %#x", c), func(n, v string) string { return n + ":" + s + v }},
			mutation{fmt.Sprintf("prefix %#x", c), func(n, v string) string { return n + ": " + s + v }},
			mutation{fmt.Sprintf("suffix %#x", c), func(n, v string) string { return line(n, v) + s }},
			mutation{fmt.Sprintf("name prefix %#x", c), func(n, v string) string { return s + line(n, v) }},
			mutation{fmt.Sprintf("name suffix %#x", c), func(n, v string) string { return n + s + ": " + v }},
		)
	}
	return all
}

// Smuggled is the target of the request that a disguised framing field hides in
// a body, or pulls out of it.
const Smuggled = "/smuggled"

// Disguises are requests with a disguised framing field, alone and beside a
// plain one of the other or the same kind. A server either refuses one with 400
// or 501 and ends the connection, or frames it as net/http does; Status and
// Requests are not filled in.
func Disguises() (cases []Case) {
	const host = "POST / HTTP/1.1\r\nHost: a\r\n"
	const chunked = "0\r\n\r\nGET " + Smuggled + " HTTP/1.1\r\nHost: a\r\n\r\n"
	length := fmt.Sprint(len(chunked))
	for _, m := range mutations() {
		te := m.field("Transfer-Encoding", "chunked")
		cl := m.field("Content-Length", length)
		for i, raw := range []string{
			host + te + "\r\n\r\n" + chunked,
			host + cl + "\r\n\r\n" + chunked,
			host + "Content-Length: " + length + "\r\n" + te + "\r\n\r\n" + chunked,
			host + te + "\r\nContent-Length: " + length + "\r\n\r\n" + chunked,
			host + cl + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
			host + "Content-Length: 5\r\n" + cl + "\r\n\r\n" + chunked,
			host + cl + "\r\nContent-Length: 5\r\n\r\n" + chunked,
			host + "Transfer-Encoding: chunked\r\n" + te + "\r\n\r\n" + chunked,
			"POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n" + te + "\r\n\r\n" + chunked,
		} {
			cases = append(cases, Case{Name: fmt.Sprintf("%s %d", m.name, i), Raw: raw})
		}
	}
	return cases
}
