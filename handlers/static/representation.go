package static

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strconv"

	"github.com/gale-server/gale/asgi"
)

// representation is one form of a file: as it is, or in a content coding. What a
// request needs of it is ready.
//
// Safe for concurrent use: immutable, except that its file is closed with its entry.
type representation struct {
	validators
	coding      string // "" for none
	contentType string
	vary        string // what it was chosen by; "" for nothing

	data []byte   // all of it, if it is held in memory
	file *os.File // else

	common      []asgi.Header // of 200 and 206
	ok          asgi.HTTPResponseStart
	notModified asgi.HTTPResponseStart
	body        asgi.HTTPResponseBody         // of data
	send        asgi.HTTPResponseZeroCopySend // of file
}

// prepare makes the answers of r, whose other fields are set.
func (r *representation) prepare(cacheControl string, ranges bool, more []asgi.Header) {
	// What a 304 MUST carry of a 200: RFC 9110, section 15.4.5.
	shared := []asgi.Header{
		{Name: "etag", Value: r.etag},
		{Name: "cache-control", Value: cacheControl},
	}
	if r.vary != "" {
		shared = append(shared, asgi.Header{Name: "vary", Value: r.vary})
	}
	r.notModified = asgi.HTTPResponseStart{Status: 304, Headers: shared}
	r.common = append(r.common, shared...)
	add := func(name, value string) {
		if value != "" {
			r.common = append(r.common, asgi.Header{Name: name, Value: value})
		}
	}
	add("last-modified", r.lastModified)
	add("content-encoding", r.coding)
	if ranges {
		add("accept-ranges", "bytes")
	}
	add("x-content-type-options", "nosniff")
	r.common = append(r.common, more...)
	r.ok = r.start(200, r.contentType, r.size)
	r.body = asgi.HTTPResponseBody{Body: r.data, Lifetime: asgi.Immutable}
	r.send = asgi.HTTPResponseZeroCopySend{File: r.file, Count: r.size}
}

// start makes the start of an answer with a body of this type and size.
func (r *representation) start(status int, contentType string, size int64, more ...asgi.Header) asgi.HTTPResponseStart {
	headers := make([]asgi.Header, 0, len(r.common)+len(more)+2)
	headers = append(headers,
		asgi.Header{Name: "content-type", Value: contentType},
		asgi.Header{Name: "content-length", Value: strconv.FormatInt(size, 10)})
	headers = append(headers, r.common...)
	return asgi.HTTPResponseStart{Status: status, Headers: append(headers, more...)}
}

func (r *representation) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// contentTag is the entity tag of a content that is in memory: it is the same on
// every server that has the same content.
func contentTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
