package websocket

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Origins are the foreign origins whose pages may act here: the one rule, for the
// opening handshake of a WebSocket, by CheckOrigin, and for other requests of pages, by
// package cors.
//
// Origins are compared as browsers do (https://www.rfc-editor.org/rfc/rfc6454#section-5):
// the scheme, the host in lower case, and the port, which if it is missing is the
// scheme's. A dot at the end of a host means nothing, and an address of IPv6 is the
// same in each of its spellings.
//
// Safe for concurrent use: immutable.
type Origins struct {
	any     bool
	entries []webOrigin
}

// OriginError is an entry of a list that is no origin, and would let nobody in.
type OriginError struct{ Entry string }

func (e *OriginError) Error() string {
	return "the origin " + strconv.Quote(e.Entry) + ` is not scheme://host[:port], in ASCII, with "*." before a host for all names below it; "*" is any`
}

// NewOrigins returns the origins of a list. An entry is
//
//	https://example.org       this one; other schemes do as well: app://desktop
//	https://example.org:8443  with a port
//	https://*.example.org     all names below example.org, and not itself; of http and https
//	*                         any, also "null"
//
// Any other is an *OriginError.
func NewOrigins(list []string) (*Origins, error) {
	o := &Origins{}
	for _, entry := range list {
		if entry == "*" {
			o.any = true
			continue
		}
		w, ok := parseOrigin(entry)
		if strings.HasPrefix(w.host, "*.") {
			w.host = w.host[1:]
			ok = ok && defaultPort(w.scheme) != "" && len(w.host) > 1 && w.host[1] != '.'
		}
		if !ok || strings.Contains(w.host, "*") {
			return nil, &OriginError{entry}
		}
		o.entries = append(o.entries, w)
	}
	return o, nil
}

// Any reports whether the list has "*".
func (o *Origins) Any() bool { return o.any }

// Names reports whether an entry that is not "*" stands for an origin.
func (o *Origins) Names(origin string) bool {
	page, ok := parseOrigin(origin)
	if !ok || strings.Contains(page.host, "*") {
		return false
	}
	return slices.ContainsFunc(o.entries, func(entry webOrigin) bool {
		if entry.host[0] == '.' && len(page.host) > len(entry.host) && strings.HasSuffix(page.host, entry.host) {
			entry.host = page.host
		}
		return entry == page
	})
}

// CheckOrigin judges where the page comes from that a browser acts for: origin is the
// value of the Origin header, host that of Host, allowed a list as of [NewOrigins]. Without
// this check any page a user visits may open a connection with that user's cookies
// (https://www.rfc-editor.org/rfc/rfc6455#section-10.2). The error is a
// *HandshakeError with status 403.
//
//   - An absent origin ("") is accepted: only browsers must send one, and other
//     clients could claim any.
//   - That of the server itself is accepted: see [SameOrigin].
//   - Every other origin is foreign, also "null", and accepted only if the list has
//     it. A list with what is no origin has none.
func CheckOrigin(origin, host string, allowed []string) error {
	if origin == "" || SameOrigin(origin, host) {
		return nil
	}
	if o, err := NewOrigins(allowed); err == nil && (o.any || o.Names(origin)) {
		return nil
	}
	return errForeignOrigin
}

// SameOrigin reports whether a page's origin is the server's own: the same host and
// port as in the Host header. A missing port is the default of the origin's scheme on
// both sides, and the scheme itself is not compared: where a proxy ends TLS the server
// does not know its own.
func SameOrigin(origin, host string) bool {
	page, ok := parseOrigin(origin)
	if !ok || defaultPort(page.scheme) == "" {
		return false // other schemes have no hosts that could be ours
	}
	name, port, ok := splitPort(lowerString(host))
	if port == "" {
		port = defaultPort(page.scheme)
	}
	return ok && name == page.host && port == page.port
}

// webOrigin is an origin of the web (RFC 6454 §4), in lower case and with the
// default port written out. In a list, a host that begins with a dot stands for all
// names that end with it.
type webOrigin struct{ scheme, host, port string }

// parseOrigin reads "http://host", "https://host:port" and the like.
func parseOrigin(s string) (webOrigin, bool) {
	scheme, authority, found := strings.Cut(lowerString(s), "://")
	if !found || !isScheme(scheme) {
		return webOrigin{}, false
	}
	host, port, ok := splitPort(authority)
	if port == "" {
		port = defaultPort(scheme)
	}
	return webOrigin{scheme, host, port}, ok
}

// isScheme accepts what RFC 3986 §3.1 does, in lower case.
func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return false
		}
	}
	return s != ""
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// splitPort splits "host", "host:port" and "[address]:port" in lower case; port is ""
// when there is none. Anything that is more than a host and a port is refused.
func splitPort(authority string) (host, port string, ok bool) {
	host = authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	if inner, v6 := strings.CutPrefix(host, "["); v6 {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return "", "", false
		}
		return "[" + address.String() + "]", port, isPort(port)
	}
	host = strings.TrimSuffix(host, ".")
	return host, port, isName(host) && isPort(port)
}

// maxNameBytes is how long the name of a host may be (RFC 1035 §2.3.4). An origin below a
// pattern, which is answered and kept, is no longer than that.
const maxNameBytes = 253

// isName accepts the names of hosts, as browsers write them, and the beginning of a
// pattern.
func isName(s string) bool {
	if len(s) > maxNameBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-._*", rune(c)) {
			return false
		}
	}
	return s != "" && s[0] != '.'
}

// isPort accepts decimal digits, and none at all: "host:" means the default
// port (RFC 3986 §3.2.3).
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0 && s[0] != '0'
}
