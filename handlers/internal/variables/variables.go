// Package variables makes of a request what CGI and WSGI call its variables: the names of
// the server, the URI, and the fields as HTTP_*.
//
// # Specifications
//
//   - RFC 3875, section 4.1: https://www.rfc-editor.org/rfc/rfc3875#section-4.1
//   - PEP 3333: https://peps.python.org/pep-3333/#environ-variables
package variables

import (
	"net"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// ServerName is the name and the port that the client has used, from which applications
// make URLs: those of the Host field, else those of the connection.
func ServerName(scope *asgi.Scope) (name, port string) {
	port = "80"
	if scope.Scheme == "https" {
		port = "443"
	}
	if host, _ := scope.Header("host"); host != "" {
		name = host
		if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
			name = host[:i]
			if _, err := strconv.ParseUint(host[i+1:], 10, 16); err == nil {
				port = host[i+1:]
			}
		}
		if name != "" {
			return name, port
		}
	}
	if scope.Server.Port > 0 {
		port, name = strconv.Itoa(scope.Server.Port), scope.Server.Host
		if ip := net.ParseIP(name); ip != nil && ip.To4() == nil {
			name = "[" + name + "]" // RFC 3875, section 4.1.14
		}
		return name, port
	}
	return "localhost", port
}

// RequestURI is the path and the query as they were on the wire.
func RequestURI(scope *asgi.Scope) string {
	uri := scope.RawPath
	if uri == "" {
		uri = scope.Path
	}
	if scope.QueryString != "" {
		uri += "?" + scope.QueryString
	}
	return uri
}

// left are fields that get no variable HTTP_*: they have one of their own, belong to the
// connection, or are a secret.
func left(name string) bool {
	switch name {
	case "content-type", "content-length",
		"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect",
		"proxy-authorization",
		"proxy": // HTTP_PROXY says to many programs through whom they are to talk (CVE-2016-5385)
		return true
	}
	return false
}

// Fields calls set with the variables HTTP_* (RFC 3875, section 4.1.18). Fields of one
// name are merged. A name with anything but letters, digits and hyphens is left out: X_Y
// would pass for X-Y. So is Authorization, unless it is asked for.
func Fields(scope *asgi.Scope, authorization bool, set func(name, value string)) {
	connection, _ := scope.Header("connection")
	for i, f := range scope.Headers {
		switch {
		case left(f.Name), !plain(f.Name), strings.IndexByte(f.Value, 0) >= 0:
		case f.Name == "authorization" && !authorization:
		case connection != "" && listed(connection, f.Name):
		case has(scope.Headers[:i], f.Name): // merged with the first one
		default:
			set(variable(f.Name), merged(scope.Headers[i:], f.Name))
		}
	}
}

func has(fields []asgi.Header, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

// merged joins the values of all fields of a name, the first of which is the first.
func merged(fields []asgi.Header, name string) string {
	if !has(fields[1:], name) {
		return fields[0].Value
	}
	separator := ", "
	if name == "cookie" {
		separator = "; " // RFC 6265, section 5.4
	}
	var values []string
	for _, f := range fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return strings.Join(values, separator)
}

// listed reports whether a list of tokens has name.
func listed(list, name string) bool {
	for token := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(token, " \t"), name) {
			return true
		}
	}
	return false
}

func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != ""
}

// usual are the variables of fields that most requests have.
var usual = map[string]string{
	"host": "HTTP_HOST", "user-agent": "HTTP_USER_AGENT", "accept": "HTTP_ACCEPT", "accept-language": "HTTP_ACCEPT_LANGUAGE",
	"accept-encoding": "HTTP_ACCEPT_ENCODING", "cookie": "HTTP_COOKIE", "referer": "HTTP_REFERER", "origin": "HTTP_ORIGIN",
	"cache-control": "HTTP_CACHE_CONTROL", "authorization": "HTTP_AUTHORIZATION", "if-none-match": "HTTP_IF_NONE_MATCH",
	"if-modified-since": "HTTP_IF_MODIFIED_SINCE", "upgrade-insecure-requests": "HTTP_UPGRADE_INSECURE_REQUESTS",
	"sec-fetch-dest": "HTTP_SEC_FETCH_DEST", "sec-fetch-mode": "HTTP_SEC_FETCH_MODE", "sec-fetch-site": "HTTP_SEC_FETCH_SITE",
	"x-forwarded-for": "HTTP_X_FORWARDED_FOR", "x-forwarded-proto": "HTTP_X_FORWARDED_PROTO", "x-requested-with": "HTTP_X_REQUESTED_WITH",
}

// variable is the name of the variable of a field.
func variable(field string) string {
	if name, ok := usual[field]; ok {
		return name
	}
	name := make([]byte, 0, len("HTTP_")+len(field))
	name = append(name, "HTTP_"...)
	for i := range len(field) {
		switch c := field[i]; {
		case c == '-':
			name = append(name, '_')
		case c >= 'a' && c <= 'z':
			name = append(name, c-'a'+'A')
		default:
			name = append(name, c)
		}
	}
	return string(name)
}
