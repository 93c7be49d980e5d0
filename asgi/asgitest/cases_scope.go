package asgitest

import (
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specMain       = "https://asgi.readthedocs.io/en/latest/specs/main.html"
	specWWW        = "https://asgi.readthedocs.io/en/latest/specs/www.html"
	specLifespan   = "https://asgi.readthedocs.io/en/latest/specs/lifespan.html"
	specExtensions = "https://asgi.readthedocs.io/en/latest/extensions.html"
	specTLS        = "https://asgi.readthedocs.io/en/latest/specs/tls.html"

	specHTTPScope = specWWW + "#http-connection-scope"
)

// want compares values by their text.
func want(what string, got, want any) error {
	if g, w := fmt.Sprintf("%q", fmt.Sprint(got)), fmt.Sprintf("%q", fmt.Sprint(want)); g != w {
		return fmt.Errorf("%s is %s, want %s", what, g, w)
	}
	return nil
}

// asked is one request for target, whose scope check looks at.
func asked(s *session, path, request string, check func(scope *asgi.Scope) error) {
	s.tb.Helper()
	s.serve(respond(path, "ok", scopeHas(check)))
	w := s.dial()
	w.write(request)
	w.response("GET").is(200, "ok")
}

// sentFields are lines of a request, and seenFields what the application sees of
// them.
var (
	sentFields = []string{"X-B: 1", "x-a:  two \t", "X-B: 3", "X-Obs: \xe9\xff", "X-Empty:"}
	seenFields = []asgi.Header{{Name: "x-b", Value: "1"}, {Name: "x-a", Value: "two"}, {Name: "x-b", Value: "3"}, {Name: "x-obs", Value: "\xe9\xff"}, {Name: "x-empty"}}
)

// ownFields are those of the case, without those that every request has.
func ownFields(sc *asgi.Scope) iter.Seq[asgi.Header] {
	return func(yield func(asgi.Header) bool) {
		for _, h := range sc.Headers {
			if strings.HasPrefix(h.Name, "x-") && !yield(h) {
				return
			}
		}
	}
}

func sameFields(got, want []asgi.Header) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("headers are %q, want %q", got, want)
	}
	return nil
}

var scopeCases = []testCase{
	{
		name:   "http/01 scope keys",
		clause: "type, asgi.spec_version, http_version, method, scheme, path, raw_path, query_string, root_path",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/a/b", requestHead("GET /a/b?x=1"), func(sc *asgi.Scope) error {
				return want("scope", strings.Join([]string{
					string(sc.Type), sc.SpecVersion, sc.HTTPVersion, sc.Method, sc.Scheme,
					sc.Path, sc.RawPath, sc.QueryString, sc.RootPath,
				}, " "), "http "+asgi.SpecVersion+" 1.1 GET http /a/b /a/b x=1 ")
			})
		},
	},
	{
		name:   "http/02 client and server address",
		clause: "client: remote IP and port as an int; server: the address it listens on",
		link:   specHTTPScope,
		run: func(s *session) {
			addresses := make(chan [2]asgi.Address, 1)
			s.serve(respond("/", "ok", scopeHas(func(sc *asgi.Scope) error {
				addresses <- [2]asgi.Address{sc.Client, sc.Server}
				return nil
			})))
			w := s.dial()
			w.get("/").is(200, "ok")
			got := <-addresses
			for i, addr := range []net.Addr{w.conn.LocalAddr(), w.conn.RemoteAddr()} {
				tcp := addr.(*net.TCPAddr)
				if got[i].Host != tcp.IP.String() || got[i].Port != tcp.Port {
					s.tb.Errorf("%s address is %v, want %v", []string{"client", "server"}[i], got[i], addr)
				}
			}
		},
	},
	{
		name:   "http/03 any method",
		clause: "method: a token, in the case it was sent (RFC 9110 section 9.1 makes it case-sensitive)",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", requestHead("PROPFIND /"), func(sc *asgi.Scope) error {
				return want("method", sc.Method, "PROPFIND")
			})
		},
	},
	{
		name:   "http/04 http_version of HTTP 1.0",
		clause: `http_version: "1.0"`,
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", "GET / HTTP/1.0\r\n\r\n", func(sc *asgi.Scope) error {
				return want("http_version", sc.HTTPVersion, "1.0")
			})
		},
	},
	{
		name:   "http/05 header names lower-case, repetition kept",
		clause: "headers: duplicates kept, in their order, names lower-case, values raw octets",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", requestHead("GET /", sentFields...), func(sc *asgi.Scope) error {
				byName := func(a, b asgi.Header) int { return strings.Compare(a.Name, b.Name) }
				return sameFields(slices.SortedStableFunc(ownFields(sc), byName), slices.SortedStableFunc(slices.Values(seenFields), byName))
			})
		},
	},
	{
		name:   "http/06 path is decoded, raw_path is not",
		clause: "path: percent-decoded, then UTF-8; raw_path: the original bytes without the query",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/café/x y+z", requestHead("GET /caf%C3%A9%2Fx%20y+z?q=%20"), func(sc *asgi.Scope) error {
				if err := want("raw_path", sc.RawPath, "/caf%C3%A9%2Fx%20y+z"); err != nil {
					return err
				}
				return want("query_string", sc.QueryString, "q=%20")
			})
		},
	},
	{
		name:   "http/07 path bytes that are not UTF-8",
		clause: "decision: they become U+FFFD, raw_path is lossless",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/a\uFFFDb", requestHead("GET /a%FFb"), func(sc *asgi.Scope) error {
				return want("raw_path", sc.RawPath, "/a%FFb")
			})
		},
	},
	{
		name:   "http/08 query string stays encoded",
		clause: "query_string: percent-encoded, after the first question mark",
		link:   specHTTPScope,
		run: func(s *session) {
			asked(s, "/", requestHead("GET /?a=%26+b?c&d"), func(sc *asgi.Scope) error {
				return want("query_string", sc.QueryString, "a=%26+b?c&d")
			})
		},
	},
	{
		name:   "http/09 root_path is a prefix of path",
		clause: "root_path: where the application is mounted; decision: path begins with it",
		link:   specHTTPScope,
		run: func(s *session) {
			s.serveWith(Setup{RootPath: "/mount"}, respond("/mount/x", "ok", scopeHas(func(sc *asgi.Scope) error {
				return want("root_path", sc.RootPath, "/mount")
			})))
			s.dial().get("/x").is(200, "ok")
		},
	},
	{
		name:   "http/10 absolute-form target",
		clause: "a server MUST accept it; its authority replaces Host (RFC 9112 section 3.2.2)",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2",
		run: func(s *session) {
			asked(s, "/x", "GET http://real.test:81/x?y HTTP/1.1\r\nHost: other\r\n\r\n", func(sc *asgi.Scope) error {
				host, _ := sc.Header("host")
				return want("path, query and host", sc.Path+" "+sc.QueryString+" "+host, "/x y real.test:81")
			})
		},
	},
	{
		name:   "http/11 extensions are advertised",
		clause: "extensions: a dict of names; an empty value says supported",
		link:   specMain + "#extensions",
		run: func(s *session) {
			asked(s, "/", requestHead("GET /"), func(sc *asgi.Scope) error {
				for _, name := range []string{asgi.ExtEarlyHint, asgi.ExtTrailers, asgi.ExtPathSend, asgi.ExtZeroCopySend} {
					if !sc.Supports(name) {
						return fmt.Errorf("%s is not advertised", name)
					}
				}
				if sc.Supports(asgi.ExtDenialResponse) {
					return fmt.Errorf("%s is advertised for http", asgi.ExtDenialResponse)
				}
				return nil
			})
		},
	},
	{
		name:   "http/12 no tls extension without TLS",
		clause: "tls: must not be present on a connection that is not TLS",
		link:   specTLS + "#when-to-use-this-extension",
		run: func(s *session) {
			asked(s, "/", requestHead("GET /"), func(sc *asgi.Scope) error {
				if sc.Supports(asgi.ExtTLS) {
					return fmt.Errorf("the extension is there")
				}
				return nil
			})
		},
	},
	{
		name:   "http/13 a bad request does not reach the application",
		clause: "a request that breaks RFC 9112 is answered with 400 and the connection is closed",
		link:   "https://www.rfc-editor.org/rfc/rfc9112#section-9.6",
		run: func(s *session) {
			s.serve()
			w := s.dial()
			w.write("GET / HTTP/1.1\r\nHost: test\r\nBad Name: x\r\n\r\n" + requestHead("GET /smuggled"))
			w.response("GET").hasStatus(400)
			w.ends()
		},
	},
}
