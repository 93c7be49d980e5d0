package websocket

import (
	"strings"

	"github.com/gale-server/gale/asgi"
)

// field returns the value of the first header field called name and how many
// there are.
func field(headers []asgi.Header, name string) (value string, count int) {
	for i := range headers {
		if headers[i].Name == name {
			if count == 0 {
				value = trim(headers[i].Value)
			}
			count++
		}
	}
	return value, count
}

// listHolds reports whether the comma-separated list in the fields called name
// holds the element, which is given in lower case, in any case.
func listHolds(headers []asgi.Header, name, element string) bool {
	for i := range headers {
		if headers[i].Name != name {
			continue
		}
		for candidate := range strings.SplitSeq(headers[i].Value, ",") {
			if equalFold(trim(candidate), element) {
				return true
			}
		}
	}
	return false
}

// trim removes optional whitespace (RFC 9110 §5.6.3).
func trim(s string) string { return strings.Trim(s, " \t") }

// equalFold compares without regard to the case of ASCII letters, and of no
// others: to strings.EqualFold the Kelvin sign is a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + ('a' - 'A')
	}
	return b
}

func lowerString(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

// isToken follows RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		b := lower(s[i])
		if ('a' > b || b > 'z') && ('0' > b || b > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", b) < 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue follows RFC 9110 §5.5: no control character but the tab.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}
