package http1

import (
	"strings"

	"github.com/gale-server/gale/asgi"
)

// plan is what the head of a response will say.
type plan struct {
	length  int64 // Content-Length, or -1
	framing framing

	// What the application's headers have: a Date, a Server, an Upgrade, and
	// the close option of Connection.
	date, server, upgrade, close bool
}

// appHeader is what the machine does with one header of the application.
type appHeader uint8

const (
	appPass    appHeader = iota
	appDrop              // belongs to the connection
	appLength            // Content-Length
	appClose             // Connection: the close option counts
	appUpgrade           // Upgrade
	appTrailer           // Trailer
	appDate
	appServer
)

func classifyHeader(name string) appHeader {
	switch len(name) {
	case len("te"):
		if fold(name, "te") {
			return appDrop
		}
	case len("date"):
		if fold(name, "date") {
			return appDate
		}
	case len("server"):
		if fold(name, "server") {
			return appServer
		}
	case len("upgrade"):
		switch {
		case fold(name, "upgrade"):
			return appUpgrade
		case fold(name, "trailer"):
			return appTrailer
		}
	case len("connection"):
		switch {
		case fold(name, "connection"):
			return appClose
		case fold(name, "keep-alive"):
			return appDrop
		}
	case len("content-length"):
		if fold(name, "content-length") {
			return appLength
		}
	case len("proxy-connection"):
		if fold(name, "proxy-connection") {
			return appDrop
		}
	case len("transfer-encoding"):
		if fold(name, "transfer-encoding") {
			return appDrop
		}
	}
	return appPass
}

// inspect validates headers: what passes cannot end the field line it stands in
// (RFC 9112 §11.1).
func inspect(headers []asgi.Header) (plan, *ResponseError) {
	p := plan{length: -1}
	for _, h := range headers {
		if err := validate(h); err != nil {
			return plan{}, err
		}
		switch classifyHeader(h.Name) {
		case appDate:
			p.date = true
		case appServer:
			p.server = true
		case appUpgrade:
			p.upgrade = true
		case appClose:
			p.close = p.close || listed(h.Value, "close")
		case appLength:
			n, ok := decimal(trim(h.Value))
			if !ok || p.length >= 0 {
				return plan{}, &ResponseError{"invalid or repeated Content-Length (RFC 9110 §8.6)", h.Name}
			}
			p.length = n
		}
	}
	return p, nil
}

// CheckDefaults says what is wrong with headers as [Response.Defaults].
func CheckDefaults(headers []asgi.Header) error {
	for _, h := range headers {
		if err := validate(h); err != nil {
			return err
		}
		if classifyHeader(h.Name) != appPass {
			return &ResponseError{"a field of the connection, of the framing or of the server itself (RFC 9110 §7.6.1)", h.Name}
		}
	}
	return nil
}

// has reports whether there is a field of that name.
func has(headers []asgi.Header, name string) bool {
	for i := range headers {
		if len(headers[i].Name) == len(name) && strings.EqualFold(headers[i].Name, name) {
			return true
		}
	}
	return false
}

func validate(h asgi.Header) *ResponseError {
	switch {
	case h.Name == "" || !all(h.Name, isToken):
		return &ResponseError{"header name is not a token (RFC 9110 §5.1)", h.Name}
	case !cleanString(h.Value):
		return &ResponseError{"control character in a header value (RFC 9110 §5.5)", h.Name}
	}
	return nil
}
