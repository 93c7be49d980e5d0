package cgi

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// parseHead reads a header with its last, empty line (RFC 3875, section 6.3; with nph
// an HTTP response's, section 5).
func parseHead(head []byte, nph bool) (reply, error) {
	p := headParser{reply: reply{length: -1}}
	for first := true; ; first = false {
		line, rest, _ := bytes.Cut(head, []byte{'\n'})
		head, line = rest, bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			break
		}
		var err error
		if nph && first {
			err = p.statusLine(string(line))
		} else {
			err = p.line(line)
		}
		if err != nil {
			return reply{}, err
		}
	}
	return p.finish(nph)
}

// headParser gathers fields.
type headParser struct {
	reply
	location string
	others   bool // there is a field beside Location
}

// statusLine reads the first line of an HTTP response (RFC 9112, section 4).
func (p *headParser) statusLine(line string) error {
	version, status, ok := strings.Cut(line, " ")
	if !ok || !strings.HasPrefix(version, "HTTP/1.") || len(version) != len("HTTP/1.1") {
		return errStatusLine
	}
	return p.setStatus(status)
}

func (p *headParser) setStatus(value string) error {
	digits, reason, _ := strings.Cut(value, " ")
	status, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 3 || status < 200 || status > 599 || !clean(reason) {
		return errStatusValue
	}
	if p.status != 0 {
		return errRepeated
	}
	p.status = status
	return nil
}

// line reads one field.
func (p *headParser) line(line []byte) error {
	if line[0] == ' ' || line[0] == '\t' {
		return errFolded
	}
	raw, value, ok := strings.Cut(string(line), ":")
	if !ok || !token(raw) {
		return errNoField
	}
	if value = strings.Trim(value, " \t"); !clean(value) {
		return errFieldValue
	}
	name := strings.ToLower(raw)
	p.others = p.others || name != "location" && !strings.HasPrefix(name, "x-cgi-")
	switch name {
	case "status":
		return p.setStatus(value)
	case "content-type":
		if p.typed {
			return errRepeated
		}
		p.typed = true
	case "location":
		switch {
		case p.location != "":
			return errRepeated
		case value == "":
			return errEmptyValue
		}
		p.location = value
	case "content-length":
		return p.setLength(value)
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return nil // they belong to the connection, which is the server's
	default:
		if strings.HasPrefix(name, "x-cgi-") {
			return nil // for the server (RFC 3875, section 6.3.5), which knows none
		}
	}
	p.headers = append(p.headers, asgi.Header{Name: name, Value: value})
	return nil
}

func (p *headParser) setLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 63)
	switch {
	case err != nil || value[0] == '+':
		return errLengthValue
	case p.length >= 0:
		return errRepeated
	}
	p.length = int64(n)
	p.headers = append(p.headers, asgi.Header{Name: "content-length", Value: strconv.FormatUint(n, 10)})
	return nil
}

// finish says what kind of response it is.
func (p *headParser) finish(nph bool) (reply, error) {
	switch {
	case nph && p.status == 0:
		return reply{}, errStatusLine
	case nph:
		p.headers = append(p.headers, asgi.Header{Name: "connection", Value: "close"})
	case !p.others && p.location == "", p.status == 0 && !p.typed && p.location == "":
		return reply{}, errNoCGIField
	case !p.others && isLocal(p.location):
		return reply{local: p.location, length: -1}, nil
	case p.status == 0 && p.location != "":
		p.status = 302 // RFC 3875, section 6.2.3
	case p.status == 0:
		p.status = 200
	}
	p.bare = p.status == 204 || p.status == 304
	return p.reply, nil
}

// isLocal reports whether a Location is a path of this server; what begins with two
// slashes names another.
func isLocal(location string) bool {
	return strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//")
}

// clean reports whether a value has no control characters (RFC 9110, section 5.5).
func clean(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// token reports whether a name is one (RFC 9110, section 5.6.2).
func token(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}
