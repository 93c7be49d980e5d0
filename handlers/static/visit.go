package static

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// visit is one request on its way to its answer.
//
// Loop-owned: call only from its event loop.
type visit struct {
	h     *Handler
	scope *asgi.Scope
	x     asgi.Exchange
	as    role
}

// role is what a file is sent for.
type role uint8

const (
	asItself   role = iota
	asFallback      // in the place of a page that does not exist
	asNotFound      // with 404
)

// Answers that carry no file. What is allowed is said with both of the first (RFC 9110,
// sections 9.3.7 and 15.5.6).
var (
	allowed          = asgi.HTTPResponseStart{Status: 204, Headers: []asgi.Header{allow}}
	methodNotAllowed = handlers.NewFixed(405, "method not allowed\n", allow, asgi.Header{Name: "content-type", Value: plainText})
	denied           = handlers.NewFixed(403, "forbidden\n")
	notFound         = handlers.NewFixed(404, "not found\n")
	notFoundHere     = handlers.NewFixed(404, "not found\n", byAccept, asgi.Header{Name: "content-type", Value: plainText})

	allow    = asgi.Header{Name: "allow", Value: "GET, HEAD, OPTIONS"}
	byAccept = asgi.Header{Name: "vary", Value: "accept"} // where there is a fallback
)

// open answers a request for the path of its scope.
func (h *Handler) open(v visit) asgi.Receiver {
	p, now := handlers.Path(v.scope), time.Now()
	if v.scope.Path == v.scope.RootPath && v.scope.RootPath != "" && !strings.HasSuffix(v.scope.RootPath, "/") {
		return v.redirect("/") // the mount itself, which is a folder
	}
	e, check := h.cache.get(p, now) // most paths are their own key
	if e == nil {
		key, ok := h.keyOf(p)
		if !ok {
			return h.absent(v)
		}
		return h.serve(v, key, now)
	}
	if check {
		h.refresh(p)
	}
	return h.answer(v, e)
}

// serve answers with what there is under a key.
func (h *Handler) serve(v visit, key string, now time.Time) asgi.Receiver {
	e, check := h.cache.get(key, now)
	switch {
	case e == nil && h.cache.frozen:
		return h.absent(v)
	case e == nil:
		return h.wait(v, key)
	case check:
		h.refresh(key)
	}
	return h.answer(v, e)
}

// answer answers with e, of which it takes the reference.
func (h *Handler) answer(v visit, e *entry) asgi.Receiver {
	switch e.kind {
	case document, listing:
		return v.send(e)
	}
	defer e.release()
	switch {
	case e.kind == folder && v.as == asItself:
		return v.redirect(e.key + "/")
	case e.kind == forbidden:
		return denied.Open(v.scope, v.x)
	}
	return h.absent(v)
}

// absent answers a request for what does not exist.
func (h *Handler) absent(v visit) asgi.Receiver {
	switch {
	case v.as == asItself && h.config.Fallback != "" && v.wantsPage():
		v.as = asFallback
		return h.serve(v, "/"+h.config.Fallback, time.Now())
	case v.as != asNotFound && h.config.NotFound != "":
		v.as = asNotFound
		return h.serve(v, "/"+h.config.NotFound, time.Now())
	case h.config.Fallback != "":
		return notFoundHere.Open(v.scope, v.x)
	}
	return notFound.Open(v.scope, v.x)
}

// wantsPage reports whether a request is one for a page of an application: by a
// browser that goes somewhere, not by one that loads a part of a page.
func (v *visit) wantsPage() bool {
	var f fields
	f.read(v.scope.Headers)
	return path.Ext(path.Base(v.scope.Path)) == "" && acceptsHTML(f.accept.value)
}

// redirect sends the client to a path below the mount. It begins with exactly one
// slash, and a backslash, which browsers take for one, is escaped: it is on this host
// (RFC 3986, section 4.2).
func (v *visit) redirect(to string) asgi.Receiver {
	whole := "/" + strings.TrimLeft(v.scope.RootPath+to, "/")
	location := (&url.URL{Path: whole}).EscapedPath()
	if v.scope.QueryString != "" {
		location += "?" + v.scope.QueryString
	}
	_ = handlers.Respond(v.x, 301, []byte("moved permanently\n"),
		asgi.Header{Name: "location", Value: location},
		asgi.Header{Name: "content-type", Value: plainText})
	return nil
}

// fail answers a request for which nobody could look at the disk: with 503, or with
// what the executor says, and when to come back; with 500 if the disk has failed.
func (v *visit) fail(err error) {
	status, headers := 500, []asgi.Header(nil)
	var refusal interface {
		HTTPStatus() int
		HTTPHeaders() []asgi.Header
	}
	switch {
	case errors.As(err, &refusal):
		status, headers = refusal.HTTPStatus(), refusal.HTTPHeaders()
	case isRefusal(err) || outOfFiles(err):
		status, headers = 503, []asgi.Header{{Name: "retry-after", Value: "1"}}
	}
	text := "the file cannot be read\n"
	if status != 500 {
		text = "busy, try again later\n"
	}
	headers = append(headers, asgi.Header{Name: "content-type", Value: plainText})
	_ = handlers.Respond(v.x, status, []byte(text), headers...)
}
