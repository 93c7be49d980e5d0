package cgi

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/variables"
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
	e.set("REQUEST_URI", variables.RequestURI(scope))
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
	variables.Fields(scope, h.cfg.PassAuthorization, e.set)
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
	name, port := variables.ServerName(scope)
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
