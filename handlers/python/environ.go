package python

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/internal/variables"
	"github.com/gale-server/gale/handlers/python/internal/wire"
)

// serverSoftware is SERVER_SOFTWARE.
const serverSoftware = "gale"

// appendEnviron appends the environ of a request whose body has size bytes (PEP 3333): all
// but what the worker adds, which are the keys wsgi.*. Values are text of one code point
// for each octet.
func appendEnviron(dst []wire.Variable, scope *asgi.Scope, size int64) []wire.Variable {
	set := func(name, value string) { dst = append(dst, wire.Variable{Name: name, Value: latin1(value)}) }
	name, port := variables.ServerName(scope)
	set("REQUEST_METHOD", scope.Method)
	set("SCRIPT_NAME", scope.RootPath)
	set("PATH_INFO", pathInfo(scope))
	set("QUERY_STRING", scope.QueryString)
	set("REQUEST_URI", variables.RequestURI(scope))
	set("SERVER_NAME", name)
	set("SERVER_PORT", port)
	set("SERVER_PROTOCOL", "HTTP/"+scope.HTTPVersion)
	set("SERVER_SOFTWARE", serverSoftware)
	if scope.Client.Host != "" {
		set("REMOTE_ADDR", scope.Client.Host)
	}
	if scope.Client.Port > 0 {
		set("REMOTE_PORT", strconv.Itoa(scope.Client.Port))
	}
	if scope.Scheme == "https" {
		set("HTTPS", "on")
	}
	if value, ok := scope.Header("content-type"); ok {
		set("CONTENT_TYPE", value)
	}
	if size > 0 || hasLength(scope) {
		set("CONTENT_LENGTH", strconv.FormatInt(size, 10))
	}
	variables.Fields(scope, true, set)
	return dst
}

func hasLength(scope *asgi.Scope) bool {
	_, ok := scope.Header("content-length")
	return ok
}

// pathInfo is the path below the mount, decoded and otherwise as it was on the wire:
// Scope.Path has U+FFFD for octets that are not UTF-8.
func pathInfo(scope *asgi.Scope) string {
	path := scope.RawPath
	if strings.IndexByte(path, '%') >= 0 {
		var err error
		if path, err = url.PathUnescape(path); err != nil {
			path = scope.Path
		}
	}
	if rest, ok := strings.CutPrefix(path, scope.RootPath); ok {
		return rest
	}
	return strings.TrimPrefix(scope.Path, scope.RootPath)
}

// latin1 returns text with the code points that s has as octets.
func latin1(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	p := make([]rune, len(s))
	for i := range len(s) {
		p[i] = rune(s[i])
	}
	return string(p)
}
