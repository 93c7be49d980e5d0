package python

import (
	"testing"

	"github.com/gale-server/gale/asgi"
)

// https://peps.python.org/pep-3333/#environ-variables
func TestEnviron(t *testing.T) {
	for name, c := range map[string]struct {
		scope asgi.Scope
		size  int64
		want  map[string]string // "-" for one that is not there
	}{
		"the least": {asgi.Scope{Method: "GET", Path: "/", RawPath: "/", HTTPVersion: "1.0", Scheme: "http"}, 0, map[string]string{
			"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
			"SERVER_PROTOCOL": "HTTP/1.0", "REMOTE_ADDR": "-", "CONTENT_LENGTH": "-", "CONTENT_TYPE": "-", "HTTPS": "-",
		}},
		"below a mount": {asgi.Scope{Method: "POST", Path: "/app/a b", RawPath: "/app/a%20b", RootPath: "/app", QueryString: "a=%20", HTTPVersion: "1.1", Scheme: "https",
			Client: asgi.Address{Host: "192.0.2.1", Port: 5}, Headers: []asgi.Header{{Name: "content-type", Value: "text/plain"}, {Name: "x-a", Value: "\xe9"}}}, 7, map[string]string{
			"SCRIPT_NAME": "/app", "PATH_INFO": "/a b", "QUERY_STRING": "a=%20", "REQUEST_URI": "/app/a%20b?a=%20", "HTTPS": "on", "SERVER_PORT": "443",
			"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "5", "CONTENT_LENGTH": "7", "CONTENT_TYPE": "text/plain", "HTTP_X_A": "é", "HTTP_CONTENT_TYPE": "-",
		}},
		"octets": {asgi.Scope{Method: "GET", Path: "/é/\ufffd", RawPath: "/%C3%A9/%ff", HTTPVersion: "1.1", Scheme: "http"}, 0, map[string]string{
			"PATH_INFO": "/\u00c3\u00a9/\u00ff",
		}},
		"the mount itself": {asgi.Scope{Method: "GET", Path: "/app", RawPath: "/app", RootPath: "/app", HTTPVersion: "1.1", Scheme: "http"}, 0, map[string]string{
			"SCRIPT_NAME": "/app", "PATH_INFO": "",
		}},
		"a length of nothing": {asgi.Scope{Method: "POST", Path: "/", RawPath: "/", HTTPVersion: "1.1", Scheme: "http",
			Headers: []asgi.Header{{Name: "content-length", Value: "0"}}}, 0, map[string]string{"CONTENT_LENGTH": "0", "HTTP_CONTENT_LENGTH": "-"}},
	} {
		got := map[string]string{}
		for _, v := range appendEnviron(nil, &c.scope, c.size) {
			if _, twice := got[v.Name]; twice {
				t.Errorf("%s: %s comes twice", name, v.Name)
			}
			got[v.Name] = v.Value
		}
		for key, want := range c.want {
			if value, ok := got[key]; want == "-" && ok || want != "-" && value != want {
				t.Errorf("%s: %s is %q, want %q", name, key, value, want)
			}
		}
	}
}
