package static

import "strings"

// attachment returns the Content-Disposition that has a file saved under its name (RFC
// 6266). Clients that know filename* take that; for others what is not plain ASCII is
// replaced, and so is what is quoted or escaped differently by different ones (appendix
// D). The name never leaves its quotes.
func attachment(name string) string {
	var plain, extended strings.Builder
	same := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c < 0x20 || c >= 0x7F || strings.IndexByte(`"\%/`, c) >= 0:
			plain.WriteByte('_')
			same = false
		default:
			plain.WriteByte(c)
		}
		if isAttrChar(c) {
			extended.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			extended.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	value := `attachment; filename="` + plain.String() + `"`
	if !same {
		value += "; filename*=UTF-8''" + extended.String()
	}
	return value
}

// isAttrChar reports whether c stands for itself in filename* (RFC 8187, section 3.2.1).
func isAttrChar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
