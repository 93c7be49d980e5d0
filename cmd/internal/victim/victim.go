// Package victim is the application that the attacks of cmd/internal/hostile
// are made for: it offers what they ask for, in each form of application, and
// counts its exchanges.
//
// The first part of a path names the form, /event, /coroutine, /serial or
// /goroutine; the rest is as hostile's documentation says. Some things exist in
// the forms with a Handler only, /timers and /posts, and some are for tests of
// a server:
//
//	/block    blocks, in event form the loop, until somebody asks for /release
//	/release  answers with the number of requests that it let go on
//	/await    in coroutine form: awaits as many results as ?n= says, which
//	          another goroutine delivers
//	/shield   in coroutine form: awaits what never comes, whatever becomes of
//	          the client
//	/file     answers with the file that Victim.File names
package victim

import (
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Victim is the application.
//
// Safe for concurrent use.
type Victim struct {
	// File is an absolute path, for /file. Not changed once it serves.
	File string

	open  atomic.Int64
	forms map[string]asgi.Handler

	mu      sync.Mutex
	blocked []chan struct{} // of /block
}

// New makes a victim.
func New() *Victim {
	v := &Victim{}
	event := asgi.HandlerFunc(v.openEvent)
	v.forms = map[string]asgi.Handler{
		"event":     event,
		"serial":    asgi.Serial(event, nil),
		"coroutine": asgi.Coroutine(v.run),
		"goroutine": asgi.Goroutine(v.run, nil),
	}
	return v
}

// Forms are the names of the forms.
var Forms = []string{"event", "coroutine", "serial", "goroutine"}

// Exchanges is how many exchanges the application has not seen the end of.
func (v *Victim) Exchanges() int64 { return v.open.Load() }

// Open implements [asgi.Handler].
func (v *Victim) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	form, _, _ := strings.Cut(strings.TrimPrefix(scope.Path, "/"), "/")
	h := v.forms[form]
	if h == nil || scope.Type == asgi.ScopeLifespan {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	return h.Open(scope, x)
}

// wish is what a client asks for.
type wish struct {
	action string        // "/echo"
	place  string        // its own path and query
	n      int           // of ?n=
	pace   time.Duration // of ?pace=
	at     string        // of ?at=
}

func wishOf(scope *asgi.Scope) wish {
	_, action, _ := strings.Cut(strings.TrimPrefix(scope.Path, "/"), "/")
	query, _ := url.ParseQuery(scope.QueryString)
	w := wish{action: "/" + action, place: scope.Path, at: query.Get("at")}
	w.n, _ = strconv.Atoi(query.Get("n"))
	w.pace, _ = time.ParseDuration(query.Get("pace"))
	if scope.QueryString != "" {
		w.place += "?" + scope.QueryString
	}
	return w
}

// block waits for a release.
func (v *Victim) block() {
	released := make(chan struct{})
	v.mu.Lock()
	v.blocked = append(v.blocked, released)
	v.mu.Unlock()
	<-released
}

// release ends the blocks there are and returns how many.
func (v *Victim) release() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.blocked)
	for _, released := range v.blocked {
		close(released)
	}
	v.blocked = nil
	return n
}

var (
	start = &asgi.HTTPResponseStart{Status: 200}
	later = &asgi.HTTPResponseBody{Body: []byte("begun "), MoreBody: true}
)

func last(s string) *asgi.HTTPResponseBody { return &asgi.HTTPResponseBody{Body: []byte(s)} }

// maxBody bounds the body that /echo gathers, in bytes.
const maxBody = 1 << 20
