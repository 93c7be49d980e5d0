package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strconv"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// StaticConfig says how files are served. Its zero value serves well.
type StaticConfig struct {
	// CacheControl is the Cache-Control field of every file. Default:
	// "no-cache", which lets browsers keep a file but ask each time whether it
	// is still the same; a new release shows at once and an old one costs a 304.
	CacheControl string

	// Headers are added to every answer that carries a file, for example a
	// Content-Security-Policy. Default: none.
	Headers []asgi.Header

	// MaxBytes bounds the sum of the files' sizes, since all are held in
	// memory. Default: 64 MiB, far above what a page embeds and far below what
	// hurts. Negative: no bound.
	MaxBytes int64
}

// indexPage is what a request for a folder gets.
const indexPage = "index.html"

// Static serves the files of a file system, which it has read into memory: no
// request touches a disk, and none allocates. A folder is served by its
// index.html; there are no listings. Each file has a strong ETag, and a request
// that has it already gets 304 (Not Modified).
//
// Safe for concurrent use: immutable.
type Static struct {
	files map[string]*file // by cleaned path
}

// file is one file as its answers.
type file struct {
	etag        string
	ok          asgi.HTTPResponseStart
	body        asgi.HTTPResponseBody
	notModified asgi.HTTPResponseStart
}

// NewStatic reads every file of fsys and returns the handler that serves them.
// It fails when a file cannot be read or their sum passes the bound.
func NewStatic(fsys fs.FS, config StaticConfig) (*Static, error) {
	if config.CacheControl == "" {
		config.CacheControl = "no-cache"
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = 64 << 20
	}
	s := &Static{files: make(map[string]*file)}
	var total int64
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if total += info.Size(); config.MaxBytes >= 0 && total > config.MaxBytes {
			return fmt.Errorf("more than %d bytes of files", config.MaxBytes)
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		s.add("/"+name, newFile(name, content, &config))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("handlers: static files: %w", err)
	}
	return s, nil
}

func (s *Static) add(name string, f *file) {
	s.files[name] = f
	if path.Base(name) == indexPage {
		s.files[strings.TrimSuffix(name, indexPage)] = f
	}
}

func newFile(name string, content []byte, config *StaticConfig) *file {
	sum := sha256.Sum256(content)
	f := &file{
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
		body: asgi.HTTPResponseBody{Body: content, Lifetime: asgi.Immutable},
	}
	// What a 304 MUST carry of a 200: RFC 9110, section 15.4.5.
	shared := []asgi.Header{
		{Name: "etag", Value: f.etag},
		{Name: "cache-control", Value: config.CacheControl},
	}
	f.notModified = asgi.HTTPResponseStart{Status: 304, Headers: shared}
	f.ok = asgi.HTTPResponseStart{Status: 200, Headers: append(shared[:len(shared):len(shared)],
		asgi.Header{Name: "content-type", Value: contentType(name)},
		asgi.Header{Name: "content-length", Value: strconv.Itoa(len(content))},
		asgi.Header{Name: "x-content-type-options", Value: "nosniff"},
	)}
	f.ok.Headers = append(f.ok.Headers, config.Headers...)
	return f
}

// contentTypes are the types of the web, so that they do not depend on the
// tables of the machine.
var contentTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".ts":          plainText, // browsers do not run it, and elsewhere it is a video
	".txt":         plainText,
	".webmanifest": "application/manifest+json",
	".woff2":       "font/woff2",
}

func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := contentTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

// Open answers the request with a file, 304, 404 or 405.
func (s *Static) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	p := Path(scope)
	f, ok := s.files[p]
	if !ok {
		f, ok = s.files[clean(p)]
	}
	switch {
	case !ok:
		notFound.send(x)
	case scope.Method != "GET" && scope.Method != "HEAD":
		methodNotAllowed(x, "GET, HEAD")
	case f.known(scope):
		if x.Send(&f.notModified) == nil {
			_ = x.Send(&noBody)
		}
	default:
		if x.Send(&f.ok) == nil {
			_ = x.Send(&f.body) // the server drops it for HEAD
		}
	}
	return nil
}

var noBody asgi.HTTPResponseBody

// clean resolves "." and ".." and repeated slashes; it keeps the final slash,
// which tells a folder from a file. Nothing is opened by this path: what is not
// in the table does not exist.
func clean(p string) string {
	cleaned := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && cleaned != "/" {
		cleaned += "/"
	}
	return cleaned
}

// known reports whether the request has the file already: If-None-Match names
// its tag, compared weakly, or is "*" (RFC 9110, section 13.1.2). A repeated
// field is one list (section 5.3).
func (f *file) known(scope *asgi.Scope) bool {
	for i := range scope.Headers {
		if scope.Headers[i].Name == "if-none-match" && listed(f.etag, scope.Headers[i].Value) {
			return true
		}
	}
	return false
}

func listed(etag, list string) bool {
	for list != "" {
		var tag string
		tag, list, _ = strings.Cut(list, ",")
		tag = strings.Trim(tag, " \t")
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
