package websocket

import "strings"

// CheckOrigin judges where the page comes from that a browser acts for: origin
// is the value of the Origin header, host that of Host. Without this check any
// page a user visits may open a connection with that user's cookies
// (https://www.rfc-editor.org/rfc/rfc6455#section-10.2). The error is a
// *HandshakeError with status 403.
//
//   - An absent origin ("") is accepted: only browsers must send one, and other
//     clients could claim any.
//   - The same host and port is accepted. A missing port is the default of the
//     origin's scheme on both sides, and the scheme itself is not compared: where
//     a proxy ends TLS the server does not know its own.
//   - Every other origin is foreign, also "null", and accepted only if allowed
//     names it: as "scheme://host" or "scheme://host:port", or "*" for any.
func CheckOrigin(origin, host string, allowed []string) error {
	if origin == "" {
		return nil
	}
	page, ok := parseOrigin(origin)
	if ok && page.sameHost(host) {
		return nil
	}
	for _, entry := range allowed {
		if entry == "*" || equalFold(entry, origin) {
			return nil
		}
		if other, valid := parseOrigin(entry); ok && valid && page == other {
			return nil
		}
	}
	return errForeignOrigin
}

// webOrigin is an origin of the web (RFC 6454 §4), in lower case and with the
// default port written out.
type webOrigin struct{ scheme, host, port string }

// parseOrigin reads "http://host", "https://host:port" and the like; other
// schemes have no hosts that could be ours.
func parseOrigin(s string) (webOrigin, bool) {
	scheme, authority, found := strings.Cut(lowerString(s), "://")
	port := defaultPort(scheme)
	if !found || port == "" {
		return webOrigin{}, false
	}
	host, explicit, ok := splitPort(authority)
	if !ok {
		return webOrigin{}, false
	}
	if explicit != "" {
		port = explicit
	}
	return webOrigin{scheme, host, port}, true
}

// sameHost compares with the value of a Host header, which leaves out the
// default port of a scheme that it does not name.
func (o webOrigin) sameHost(host string) bool {
	name, port, ok := splitPort(lowerString(host))
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return ok && name == o.host && port == o.port
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

// splitPort splits "host", "host:port" and "[address]:port"; port is "" when
// there is none. Anything that is more than a host and a port is refused.
func splitPort(authority string) (host, port string, ok bool) {
	if strings.ContainsAny(authority, "/?#@\\ \t") {
		return "", "", false
	}
	host = authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	bare := !strings.HasPrefix(host, "[") && strings.ContainsRune(host, ':')
	return host, port, host != "" && !bare && isPort(port)
}

// isPort accepts decimal digits, and none at all: "host:" means the default
// port (RFC 3986 §3.2.3).
func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
