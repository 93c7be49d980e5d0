package cgi

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// environ makes the environment of a program (RFC 3875, section 4.1). body is the
// length of the request's body, or -1 if it has none.
func (h *Handler) environ(scope *asgi.Scope, t target, body int64) ([]string, error) {
	e := environment{vars: make([]string, 0, len(h.env)+len(scope.Headers)+28), fixed: h.envNames}
	e.vars = append(e.vars, h.env...)
	e.set("GATEWAY_INTERFACE", "CGI/1.1")
	e.set("SERVER_SOFTWARE", h.cfg.Software)
	e.set("SERVER_PROTOCOL", "HTTP/"+scope.HTTPVersion)
	e.set("REQUEST_METHOD", scope.Method)
	e.set("REQUEST_SCHEME", scope.Scheme)
	e.set("QUERY_STRING", scope.QueryString)
	e.set("REQUEST_URI", requestURI(scope))
	e.set("SCRIPT_NAME", scope.RootPath+t.name)
	e.set("SCRIPT_FILENAME", t.file)
	e.set("DOCUMENT_ROOT", h.cfg.DocumentRoot)
	e.set("REDIRECT_STATUS", "200") // without which php-cgi refuses to run
	if t.info != "" {
		e.set("PATH_INFO", t.info)
		e.set("PATH_TRANSLATED", filepath.Join(h.cfg.DocumentRoot, filepath.FromSlash(t.info)))
	}
	e.ends(scope)
	if body >= 0 {
		e.set("CONTENT_LENGTH", strconv.FormatInt(body, 10))
	}
	if value, ok := scope.Header("content-type"); ok {
		e.set("CONTENT_TYPE", value)
	}
	if h.cfg.User != nil {
		if name, authType := h.cfg.User(scope); name != "" {
			e.set("REMOTE_USER", name)
			e.set("AUTH_TYPE", authType)
		}
	}
	e.fields(scope, h.cfg.PassAuthorization)
	if e.size() > h.cfg.MaxEnvBytes {
		return nil, errEnvTooLarge
	}
	return e.vars, nil
}

// environment is variables of the form NAME=value.
type environment struct {
	vars  []string
	fixed map[string]bool // names that the configuration has set
}

func (e *environment) set(name, value string) {
	if !e.fixed[name] && strings.IndexByte(value, 0) < 0 { // a NUL would end it
		e.vars = append(e.vars, name+"="+value)
	}
}

// size is what the kernel keeps: the strings, and a pointer to each.
func (e *environment) size() (n int64) {
	for _, v := range e.vars {
		n += int64(len(v)) + 1 + 8
	}
	return n
}

// ends sets what is known of the two ends of the connection.
func (e *environment) ends(scope *asgi.Scope) {
	name, port := serverName(scope)
	e.set("SERVER_NAME", name)
	e.set("SERVER_PORT", port)
	if scope.Server.Port > 0 {
		e.set("SERVER_ADDR", scope.Server.Host)
	}
	e.set("REMOTE_ADDR", scope.Client.Host)
	e.set("REMOTE_HOST", scope.Client.Host) // RFC 3875, section 4.1.9: the address in place of a name
	if scope.Client.Port > 0 {
		e.set("REMOTE_PORT", strconv.Itoa(scope.Client.Port))
	}
	if scope.Scheme == "https" {
		e.set("HTTPS", "on")
	}
}

// serverName is the name and the port that the client has used, from which scripts
// make URLs: those of the Host field, else those of the connection.
func serverName(scope *asgi.Scope) (name, port string) {
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

func requestURI(scope *asgi.Scope) string {
	uri := scope.RawPath
	if uri == "" {
		uri = scope.Path
	}
	if scope.QueryString != "" {
		uri += "?" + scope.QueryString
	}
	return uri
}

// kept are fields that get no variable HTTP_*: they have one of their own, belong to
// the connection, or are a secret.
var kept = map[string]bool{
	"content-type": true, "content-length": true,
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "expect": true,
	"proxy-authorization": true,
	"proxy":               true, // HTTP_PROXY says to many programs through whom they are to talk (CVE-2016-5385)
}

// fields sets the variables HTTP_* (RFC 3875, section 4.1.18). Fields of one name are
// merged. A name with anything but letters, digits and hyphens is left out: X_Y would
// pass for X-Y.
func (e *environment) fields(scope *asgi.Scope, authorization bool) {
	connection, _ := scope.Header("connection")
	seen := make(map[string]bool, len(scope.Headers))
	for i, f := range scope.Headers {
		switch {
		case kept[f.Name], !plain(f.Name), strings.IndexByte(f.Value, 0) >= 0:
			continue
		case f.Name == "authorization" && !authorization:
			continue
		case connection != "" && listed(connection, f.Name):
			continue
		}
		if seen[f.Name] {
			continue // merged with the first one
		}
		seen[f.Name] = true
		e.set(variable(f.Name), merged(scope.Headers[i:], f.Name))
	}
}

// merged joins the values of all fields of a name, the first of which is there.
func merged(fields []asgi.Header, name string) string {
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
	if len(values) == 1 {
		return values[0]
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

// variable is the name of the variable of a field.
func variable(field string) string {
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
