package static

import (
	"math"
	"strconv"
	"strings"
)

// byteRange is a part of a representation, at least one byte.
type byteRange struct {
	first, count int64
}

// contentRange writes the range as the value of a Content-Range field.
func (r byteRange) contentRange(size int64) string {
	dst := make([]byte, 0, 64)
	dst = append(dst, "bytes "...)
	dst = strconv.AppendInt(dst, r.first, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, r.first+r.count-1, 10)
	dst = append(dst, '/')
	dst = strconv.AppendInt(dst, size, 10)
	return string(dst)
}

// parseRanges reads a Range field of a representation of size bytes (RFC 9110,
// section 14.2). The field is ignored if its unit is unknown, and if it asks for more
// than most ranges, or for more bytes than there are: the whole is cheaper then. What
// is malformed is not satisfiable, unless it has no range at all; an empty
// representation is sent whole.
func parseRanges(value string, size int64, most int) (verdict, []byteRange) {
	unit, set, found := strings.Cut(value, "=")
	if !found || !strings.EqualFold(strings.Trim(unit, " \t"), "bytes") {
		return whole, nil
	}
	var ranges []byteRange
	var sum int64
	seen := 0
	for rest := set; rest != ""; {
		var spec string
		spec, rest, _ = strings.Cut(rest, ",")
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // section 5.6.1.2
		}
		if seen++; seen > most {
			return whole, nil
		}
		r, ok := parseRange(spec, size)
		if !ok {
			return notSatisfiable, nil
		}
		if r.count > 0 {
			ranges = append(ranges, r)
			sum += r.count // at most most times size
		}
	}
	switch {
	case size == 0 || seen == 0:
		return whole, nil
	case len(ranges) == 0:
		return notSatisfiable, nil
	case len(ranges) > 1 && sum > size:
		return whole, nil
	}
	return partial, ranges
}

// parseRange reads one range; its count is 0 if it lies outside of the
// representation.
func parseRange(spec string, size int64) (r byteRange, ok bool) {
	from, to, found := strings.Cut(spec, "-")
	from, to = strings.Trim(from, " \t"), strings.Trim(to, " \t")
	switch {
	case !found || from == "" && to == "":
		return r, false
	case from == "": // the last bytes
		n, ok := position(to)
		n = min(n, size)
		return byteRange{size - n, n}, ok
	}
	first, ok := position(from)
	last := int64(math.MaxInt64)
	if ok && to != "" {
		last, ok = position(to)
	}
	if !ok || last < first {
		return r, false
	}
	if first >= size {
		return r, true
	}
	return byteRange{first, min(last, size-1) - first + 1}, true
}

// position reads digits, as many as an int64 has room for.
func position(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
