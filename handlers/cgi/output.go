package cgi

import (
	"errors"

	"github.com/gale-server/gale/asgi"
)

// output is the machine that reads what a program writes (RFC 3875, section 6): bytes
// in, a response out. It does no I/O. How the bytes are cut changes nothing, and it
// holds at most a header of maxHead bytes.
type output struct {
	head    bool  // the request is HEAD: there is no body
	nph     bool  // the program writes a whole HTTP response
	maxHead int64 // bytes of the header
	maxBody int64 // bytes of the body

	phase phase
	field []byte // the header, as far as it has come
	blank blank

	reply  reply
	bytes  int64 // of the body, that have come
	excess bool  // more came than Content-Length says
}

// phase is what comes next.
type phase uint8

const (
	inHead phase = iota
	inBody
	spoilt // an error was returned
)

// blank is how far the line that ends the header has come.
type blank uint8

const (
	lineBegins blank = iota
	lineCR           // a CR is all of the line
	lineText
)

// reply is what a header says.
type reply struct {
	status  int
	headers []asgi.Header
	length  int64  // Content-Length, or -1
	typed   bool   // there is a Content-Type
	local   string // the target of a local redirect: the rest is nothing then
	bare    bool   // the response has no body, whatever the program writes
}

// Why what a program wrote is no response.
var (
	errNoOutput    = errors.New("writes no header")
	errHalfHead    = errors.New("ends in the middle of its header")
	errLargeHead   = errors.New("writes too large a header (Config.MaxHeadBytes)")
	errNoType      = errors.New("writes a body without a Content-Type (RFC 3875, section 6.3.1)")
	errShortBody   = errors.New("writes less of a body than its Content-Length says")
	errNoCGIField  = errors.New("writes a header without Content-Type, Location or Status (RFC 3875, section 6.3)")
	errFolded      = errors.New("writes a folded header line (RFC 3875, section 6.3)")
	errNoField     = errors.New("writes a header line that is no field")
	errFieldValue  = errors.New("writes a control character in a field")
	errRepeated    = errors.New("writes Content-Type, Location, Status or Content-Length twice (RFC 3875, section 6.3)")
	errStatusValue = errors.New("writes a Status that is none (RFC 3875, section 6.3.3)")
	errLengthValue = errors.New("writes a Content-Length that is none")
	errStatusLine  = errors.New("writes no status line, as one whose name begins with nph- must (RFC 3875, section 5)")
	errEmptyValue  = errors.New("writes an empty Location (RFC 3875, section 6.3.2)")
)

// feed takes what was read. It returns how much of p belongs to the header, and what
// behind that is sent as the body. replied is true from when the header is complete.
// After an error nothing more comes of the output.
func (o *output) feed(p []byte) (head int, body []byte, err error) {
	if o.phase == inHead {
		n, complete := o.scan(p)
		if int64(len(o.field)+n) > o.maxHead {
			return n, nil, o.spoil(errLargeHead)
		}
		o.field = append(o.field, p[:n]...)
		if !complete {
			return n, nil, nil
		}
		if o.reply, err = parseHead(o.field, o.nph); err != nil {
			return n, nil, o.spoil(err)
		}
		o.reply.bare = o.reply.bare || o.head
		o.phase, o.field, head = inBody, nil, n
	}
	if o.phase == spoilt || head == len(p) {
		return head, nil, nil
	}
	body, err = o.body(p[head:])
	return head, body, err
}

// scan returns how many bytes of p belong to the header, and whether it ends there.
func (o *output) scan(p []byte) (n int, complete bool) {
	for i, c := range p {
		switch {
		case c == '\n' && o.blank != lineText:
			return i + 1, true
		case c == '\n':
			o.blank = lineBegins
		case c == '\r' && o.blank == lineBegins:
			o.blank = lineCR
		default:
			o.blank = lineText
		}
	}
	return len(p), false
}

// body counts what came of the body, and returns what of it is sent.
func (o *output) body(p []byte) ([]byte, error) {
	switch {
	case o.reply.local != "":
		return nil, nil
	case o.reply.bare:
		return nil, nil
	case !o.reply.typed && !o.nph:
		return nil, o.spoil(errNoType)
	}
	if left := o.reply.length - o.bytes; o.reply.length >= 0 && int64(len(p)) > left {
		p, o.excess = p[:left], true
	}
	o.bytes += int64(len(p))
	if o.bytes > o.maxBody {
		return nil, o.spoil(errOutputLimit)
	}
	return p, nil
}

// replied reports whether the header is complete.
func (o *output) replied() bool { return o.phase == inBody }

// end says whether the output may end here.
func (o *output) end() error {
	switch {
	case o.phase == inHead && len(o.field) == 0:
		return o.spoil(errNoOutput)
	case o.phase == inHead:
		return o.spoil(errHalfHead)
	case o.phase == inBody && !o.reply.bare && o.reply.length >= 0 && o.bytes < o.reply.length:
		return o.spoil(errShortBody)
	}
	return nil
}

func (o *output) spoil(err error) error {
	o.phase, o.field = spoilt, nil
	return err
}
