package static

import (
	"strings"

	"github.com/gale-server/gale/asgi"
)

// fields are what a request says about which representation it wants, which part of
// it, and on what condition. A field that is repeated is one list (RFC 9110, section
// 5.3); one that must not be is malformed then. Of several Range fields the first counts,
// as with other servers.
//
// Not safe for concurrent use.
type fields struct {
	accept            field
	acceptEncoding    field
	ifMatch           field
	ifModifiedSince   field
	ifNoneMatch       field
	ifRange           field
	ifUnmodifiedSince field
	ranges            field
}

// field is the value of a field and whether it is there.
type field struct {
	value string
	there bool
}

func (f *field) add(value string) {
	if f.there {
		value = f.value + ", " + value
	}
	f.value, f.there = value, true
}

// read gathers the fields of a request, whose names are lower-case.
func (f *fields) read(headers []asgi.Header) {
	for i := range headers {
		value := headers[i].Value
		switch headers[i].Name {
		case "accept":
			f.accept.add(value)
		case "accept-encoding":
			f.acceptEncoding.add(value)
		case "if-match":
			f.ifMatch.add(value)
		case "if-modified-since":
			f.ifModifiedSince.add(value)
		case "if-none-match":
			f.ifNoneMatch.add(value)
		case "if-range":
			f.ifRange.add(value)
		case "if-unmodified-since":
			f.ifUnmodifiedSince.add(value)
		case "range":
			if !f.ranges.there {
				f.ranges.add(value)
			}
		}
	}
}

// weigh returns the weight in thousandths that a list like Accept-Encoding gives to a
// name (RFC 9110, section 12.4.2), and whether it names it at all. The comparison
// ignores case; parameters other than q are not looked at.
func weigh(list, name string) (weight int, named bool) {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		item, parameters, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.Trim(item, " \t"), name) {
			return weightOf(parameters), true
		}
	}
	return 0, false
}

// weightOf reads the q among the parameters of an item: 0 if it is malformed, so that
// nobody gets what it may have refused.
func weightOf(parameters string) int {
	for parameters != "" {
		var one string
		one, parameters, _ = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(one, "=")
		if strings.EqualFold(strings.Trim(name, " \t"), "q") {
			return thousandths(strings.Trim(value, " \t"))
		}
	}
	return 1000
}

// thousandths reads a qvalue: 0 or 1, with up to three decimals.
func thousandths(q string) int {
	whole, decimals, _ := strings.Cut(q, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0
	}
	n := int(whole[0]-'0') * 1000
	for i, unit := 0, 100; i < len(decimals); i, unit = i+1, unit/10 {
		if decimals[i] < '0' || decimals[i] > '9' {
			return 0
		}
		n += int(decimals[i]-'0') * unit
	}
	if n > 1000 {
		return 0
	}
	return n
}
