package asgitest

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Engine is a server under test.
//
// Safe for concurrent use while nobody changes it.
type Engine struct {
	// Start begins to serve h on a TCP address of the loopback interface. It
	// may return before the application's startup is done, as long as clients
	// that connect meanwhile are served after it. An error means that startup
	// failed; an engine may also report that by Server.Stop.
	Start func(tb testing.TB, h asgi.Handler, setup Setup) (*Server, error)

	// Without has the names of cases that the engine cannot pass by its
	// nature, each with the reason: they are skipped, visibly.
	Without map[string]string
}

// Setup is what a case asks of its engine's configuration.
//
// Safe for concurrent use: immutable.
type Setup struct {
	// RootPath is where the application is mounted: a prefix that a proxy has
	// taken off the path.
	RootPath string

	// Headers are added to every response, where the application has no field of
	// the name.
	Headers []asgi.Header

	// TrustedProxies are peers that are believed when they say, with
	// X-Forwarded-For and X-Forwarded-Proto, who is behind them.
	TrustedProxies []string

	// Departs asks that the end of a client's stream is its departure, and not
	// only the end of what it sends, if the engine has the choice.
	Departs bool

	// DepartTimeout is the time that an application has to take what a client sent
	// before it left. 0 is the engine's default.
	DepartTimeout time.Duration

	// CloseTimeout is the time that an application off the loop has to answer what
	// came before a client left. 0 is the engine's default.
	CloseTimeout time.Duration

	// WriteTimeout bounds the time in which a client must take something of
	// what waits for it; then its connection is dropped. 0 is the engine's
	// default. The other bounds of its output are the defaults of gale's engines,
	// or less.
	WriteTimeout time.Duration

	// AccessLog takes one record per finished request and WebSocket, Logger what
	// goes wrong, both as gale's engines write them. Nil: the case looks at
	// neither.
	AccessLog, Logger *slog.Logger
}

// departTimeout is for cases in which the application does not take it.
const departTimeout = 50 * time.Millisecond

// Server is one run of an engine.
//
// Not safe for concurrent use.
type Server struct {
	// Addr is what clients dial: "127.0.0.1:port".
	Addr string

	// Stop ends the run: it stops accepting, drains, ends the lifespan, and
	// returns once nothing is left. A failed startup and a failed shutdown are
	// its errors. It is called once.
	Stop func() error
}

// Run runs the conformance suite against an engine: every case in every form of
// an application it makes sense in, as the subtest "case/form". Neither engine
// nor application may leave a goroutine behind.
func Run(t *testing.T, e Engine) {
	all := cases()
	for name := range e.Without {
		if !slices.ContainsFunc(all, func(c testCase) bool { return c.name == name }) {
			t.Errorf("asgitest: no case is called %q", name)
		}
	}
	CheckGoroutines(t)
	for _, c := range all {
		if !c.waits {
			c.inEachForm(t, e)
		}
	}
	var beside sync.WaitGroup
	for _, c := range all {
		if c.waits {
			beside.Go(func() { c.inEachForm(t, e) })
		}
	}
	beside.Wait()
}

// inEachForm runs the case as a subtest, and each form as a subtest of that.
func (c testCase) inEachForm(t *testing.T, e Engine) {
	t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
		if reason, without := e.Without[c.name]; without {
			t.Skip(reason)
		}
		var beside sync.WaitGroup
		for _, f := range scriptForms {
			switch {
			case c.only != nil && !slices.Contains(c.only, f.name):
			case c.waits:
				beside.Go(func() { c.inForm(t, f, e) })
			default:
				c.inForm(t, f, e)
			}
		}
		beside.Wait()
	})
}

func (c testCase) inForm(t *testing.T, f scriptForm, e Engine) {
	t.Run(f.name, func(t *testing.T) {
		if !c.waits { // else Run looks, once all that runs beside is over
			CheckGoroutines(t)
		}
		s := newSession(t, f, e)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("clause: %s\nsee %s", c.clause, c.link)
			}
		})
		defer s.finish()
		c.run(s)
	})
}

// testCase is one clause. Its run starts the engine with scripted applications
// and plays the client.
type testCase struct {
	name   string
	clause string
	link   string
	run    func(s *session)
	only   []string // names of forms; nil is all
	waits  bool     // mostly for time to pass: all such run side by side
}

func cases() []testCase {
	return slices.Concat(scopeCases, targetCases, requestCases, responseCases, bulkCases, lifeCycleCases, departCases, extensionCases,
		webSocketCases, webSocketMessageCases, webSocketCloseCases, orderCases, logCases, nameOrderCases, floodCases, proxyCases, lifespanCases)
}

// scriptForm is a way to run a script.
type scriptForm struct {
	name string
	make func(scripted) asgi.Handler

	// late: what is wrong with an event beyond its order is not reported by its
	// own send.
	late bool
}

const (
	formEvent     = "event"
	formCoroutine = "coroutine"
	formGoroutine = "goroutine"
	formSerial    = "serial"
	formAdapted   = "adapted"
)

var scriptForms = []scriptForm{
	{formEvent, func(s scripted) asgi.Handler { return s.handler() }, false},
	{formCoroutine, func(s scripted) asgi.Handler { return asgi.Coroutine(s.application) }, false},
	{formGoroutine, func(s scripted) asgi.Handler { return asgi.Goroutine(s.application, nil) }, true},
	{formSerial, func(s scripted) asgi.Handler { return asgi.Serial(s.handler(), nil) }, true},
	{formAdapted, func(s scripted) asgi.Handler { return asgi.Coroutine(asgi.ApplicationOf(s.handler())) }, false},
}

// applicationForms are those with a receive and send of their own.
var applicationForms = []string{formCoroutine, formGoroutine}
