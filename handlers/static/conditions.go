package static

import (
	"net/http"
	"strings"
)

// verdict is what a request gets of a representation.
type verdict uint8

const (
	whole verdict = iota
	partial
	notModified
	preconditionFailed
	notSatisfiable
)

// validators are what conditions are about (RFC 9110, section 8.8).
//
// Safe for concurrent use: immutable.
type validators struct {
	etag         string // strong
	lastModified string // as on the wire; "" when unknown
	modified     int64  // the same in seconds since 1970
	size         int64  // bytes
}

// judge decides about a GET or HEAD request, in the order of RFC 9110, section
// 13.2.2. ranges are the parts that make up a partial response.
func (f *fields) judge(v *validators, maxRanges int) (verdict, []byteRange) {
	switch {
	case f.ifMatch.there:
		if !listed(f.ifMatch.value, v.etag, strongly) {
			return preconditionFailed, nil
		}
	case f.ifUnmodifiedSince.there && v.lastModified != "":
		if at, ok := date(f.ifUnmodifiedSince.value); ok && v.modified > at {
			return preconditionFailed, nil
		}
	}
	switch {
	case f.ifNoneMatch.there:
		if listed(f.ifNoneMatch.value, v.etag, weakly) {
			return notModified, nil
		}
	case f.ifModifiedSince.there && v.lastModified != "":
		if f.ifModifiedSince.value == v.lastModified {
			return notModified, nil
		}
		if at, ok := date(f.ifModifiedSince.value); ok && v.modified <= at {
			return notModified, nil
		}
	}
	if !f.ranges.there || maxRanges == 0 || f.ifRange.there && !v.unchanged(f.ifRange.value) {
		return whole, nil
	}
	return parseRanges(f.ranges.value, v.size, maxRanges)
}

// unchanged reports whether the validator of an If-Range field is that of the
// representation: compared strongly, dates exactly (RFC 9110, section 13.1.5).
func (v *validators) unchanged(ifRange string) bool {
	ifRange = strings.Trim(ifRange, " \t")
	if tag, rest := cutTag(ifRange); tag != "" {
		return tag == v.etag && rest == ""
	}
	at, ok := date(ifRange)
	return ok && v.lastModified != "" && at == v.modified
}

// date reads an HTTP-date, in seconds since 1970.
func date(value string) (seconds int64, ok bool) {
	t, err := http.ParseTime(strings.Trim(value, " \t"))
	return t.Unix(), err == nil
}

// comparison is how entity tags are compared (RFC 9110, section 8.8.3.2).
type comparison uint8

const (
	strongly comparison = iota
	weakly
)

// listed reports whether a list of entity tags has one that is etag, which is
// strong, or is "*". What follows a malformed one is not looked at.
func listed(list, etag string, how comparison) bool {
	if strings.Trim(list, " \t") == "*" {
		return true
	}
	for {
		list = strings.TrimLeft(list, " \t,")
		var tag string
		if tag, list = cutTag(list); tag == "" {
			return false
		}
		if how == weakly {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == etag {
			return true
		}
	}
}

// cutTag cuts an entity tag off the front of s; it is "" if there is none.
func cutTag(s string) (tag, rest string) {
	start := 0
	if strings.HasPrefix(s, "W/") {
		start = len("W/")
	}
	if len(s) == start || s[start] != '"' {
		return "", s
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c < 0x21 || c == 0x7F:
			return "", s
		}
	}
	return "", s
}
