package static

import (
	"crypto/rand"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

var noBody asgi.HTTPResponseBody

// send answers with the file or the listing of e, of which it takes the reference.
func (v *visit) send(e *entry) asgi.Receiver {
	var f fields
	f.read(v.scope.Headers)
	r := e.choose(&f)
	if v.as == asNotFound {
		start := r.start(404, r.contentType, r.size, v.more(e)...)
		return v.whole(e, r, &start)
	}
	verdict, ranges := f.judge(&r.validators, v.maxRanges(e))
	switch verdict {
	case notModified:
		v.bare(e, &r.notModified)
	case preconditionFailed:
		v.bare(e, &asgi.HTTPResponseStart{Status: 412})
	case notSatisfiable:
		v.bare(e, &asgi.HTTPResponseStart{Status: 416, Headers: []asgi.Header{
			{Name: "content-range", Value: "bytes */" + strconv.FormatInt(r.size, 10)}}})
	case partial:
		return v.parts(e, r, ranges)
	default:
		start := &r.ok
		if more := v.more(e); more != nil {
			changed := r.start(200, r.contentType, r.size, more...)
			start = &changed
		}
		return v.whole(e, r, start)
	}
	return nil
}

// choose returns the form of e that a request prefers.
func (e *entry) choose(f *fields) *representation {
	switch {
	case len(e.forms) == 1:
	case e.kind == document:
		return e.negotiate(&f.acceptEncoding)
	case prefersJSON(f.accept.value):
		return e.forms[1]
	}
	return e.forms[0]
}

func (v *visit) maxRanges(e *entry) int {
	if e.kind == listing {
		return 0
	}
	return v.h.config.MaxRanges
}

// more returns the fields that this request gets beside those that all get.
func (v *visit) more(e *entry) []asgi.Header {
	var more []asgi.Header
	if v.as != asItself && v.h.config.Fallback != "" {
		more = append(more, byAccept)
	}
	if v.as == asItself && e.kind == document && v.h.config.Download != "" && hasParameter(v.scope.QueryString, v.h.config.Download) {
		more = append(more, asgi.Header{Name: "content-disposition", Value: attachment(path.Base(e.name))})
	}
	return more
}

// hasParameter reports whether a query has a parameter of this name.
func hasParameter(query, name string) bool {
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if key, _, _ := strings.Cut(one, "="); key == name {
			return true
		}
	}
	return false
}

// bare sends an answer without a body.
func (v *visit) bare(e *entry, start *asgi.HTTPResponseStart) {
	err := v.x.Send(start)
	if err == nil {
		err = v.x.Send(&noBody)
	}
	v.done(e, err)
}

// whole sends all of r.
func (v *visit) whole(e *entry, r *representation, start *asgi.HTTPResponseStart) asgi.Receiver {
	if r.file != nil && v.scope.Method != "HEAD" && !v.scope.Supports(asgi.ExtZeroCopySend) {
		return v.stream(e, r, start, []segment{{count: r.size}})
	}
	err := v.x.Send(start)
	switch {
	case err != nil:
	case v.scope.Method == "HEAD":
		err = v.x.Send(&noBody)
	case r.file != nil:
		err = v.x.Send(&r.send)
	default:
		err = v.x.Send(&r.body)
	}
	v.done(e, err)
	return nil
}

// parts sends ranges of r: one as it is, several as multipart/byteranges (RFC 9110,
// section 14.6).
func (v *visit) parts(e *entry, r *representation, ranges []byteRange) asgi.Receiver {
	more := v.more(e)
	if len(ranges) == 1 {
		return v.part(e, r, ranges[0], more)
	}
	boundary := rand.Text()
	segments, size := multipart(r, ranges, boundary)
	start := r.start(206, "multipart/byteranges; boundary="+boundary, size, more...)
	return v.stream(e, r, &start, segments)
}

// part sends one range of r.
func (v *visit) part(e *entry, r *representation, one byteRange, more []asgi.Header) asgi.Receiver {
	more = append(more, asgi.Header{Name: "content-range", Value: one.contentRange(r.size)})
	start := r.start(206, r.contentType, one.count, more...)
	if r.file != nil && v.scope.Method != "HEAD" && !v.scope.Supports(asgi.ExtZeroCopySend) {
		return v.stream(e, r, &start, []segment{{offset: one.first, count: one.count}})
	}
	err := v.x.Send(&start)
	switch {
	case err != nil:
	case v.scope.Method == "HEAD":
		err = v.x.Send(&noBody)
	case r.file != nil:
		err = v.x.Send(&asgi.HTTPResponseZeroCopySend{File: r.file, Offset: one.first, Count: one.count})
	default:
		err = v.x.Send(&asgi.HTTPResponseBody{Body: r.data[one.first : one.first+one.count], Lifetime: asgi.Immutable})
	}
	v.done(e, err)
	return nil
}

// multipart returns the pieces of a body of several ranges, and its size.
func multipart(r *representation, ranges []byteRange, boundary string) (segments []segment, size int64) {
	delimiter := "--" + boundary
	for _, one := range ranges {
		head := delimiter + "\r\ncontent-type: " + r.contentType + "\r\ncontent-range: " + one.contentRange(r.size) + "\r\n\r\n"
		segments = append(segments, segment{text: head, count: int64(len(head))}, segment{offset: one.first, count: one.count})
		delimiter = "\r\n--" + boundary
	}
	end := delimiter + "--\r\n"
	segments = append(segments, segment{text: end, count: int64(len(end))})
	for _, s := range segments {
		size += s.count
	}
	return segments, size
}

// done ends a visit whose events were sent. What the server refuses ends the exchange,
// for nobody would answer it otherwise. A file that is not as it was known is looked
// at again by the next request.
func (v *visit) done(e *entry, err error) {
	if err != nil && !errors.Is(err, asgi.ErrDisconnected) && !outOfOrder(err) {
		v.h.cache.drop(e)
		v.x.End(err)
	}
	e.release()
}

// outOfOrder reports whether somebody else has answered already.
func outOfOrder(err error) bool {
	var order *asgi.OrderError
	return errors.As(err, &order)
}

// stream sends pieces of r one after the other, as fast as the client takes them.
func (v *visit) stream(e *entry, r *representation, start *asgi.HTTPResponseStart, segments []segment) asgi.Receiver {
	if err := v.x.Send(start); err != nil || v.scope.Method == "HEAD" {
		if err == nil {
			err = v.x.Send(&noBody)
		}
		v.done(e, err)
		return nil
	}
	s := &sender{visit: *v, entry: e, form: r, segments: slices.Clip(segments)}
	s.zeroCopy = r.file != nil && v.scope.Supports(asgi.ExtZeroCopySend)
	s.next()
	if s.ended {
		return nil
	}
	return s
}
