package asgitest

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// A case has a name that can be cited, a clause and a link.
func TestCasesAreNumberedAndNamed(t *testing.T) {
	form := regexp.MustCompile(`^(http|depart|ws|lifespan)/[0-9]{2,3} [^/]+$`)
	seen := map[string]string{}
	last := ""
	for _, c := range cases() {
		if !form.MatchString(c.name) {
			t.Errorf("%q is not named group/number text", c.name)
		}
		number, _, _ := strings.Cut(c.name, " ")
		if other, taken := seen[number]; taken {
			t.Errorf("%q and %q have one number", c.name, other)
		}
		seen[number] = c.name
		if group, _, _ := strings.Cut(number, "/"); strings.HasPrefix(last, group+"/") && len(number) <= len(last) && number < last {
			t.Errorf("%q comes after %q", number, last)
		}
		last = number
		if c.clause == "" || !strings.HasPrefix(c.link, "https://") || c.run == nil {
			t.Errorf("%q has no clause, link or run", c.name)
		}
	}
}

// recorder is a test that fails quietly.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) failures() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errors
}

// play plays a script in one form in memory. drive delivers events.
func play(t *testing.T, f scriptForm, scope *asgi.Scope, sc script, drive func(s *session, x *Exchange)) (*recorder, *Exchange) {
	t.Helper()
	r := &recorder{TB: t}
	s := newSession(r, f, Engine{})
	t.Cleanup(s.cancel)
	s.scripts[sc.on] = sc
	x := New(t, f.make(scripted{s}), scope)
	drive(s, x)
	return r, x
}

func eachScriptForm(t *testing.T, test func(t *testing.T, f scriptForm)) {
	for _, f := range scriptForms {
		t.Run(f.name, func(t *testing.T) {
			CheckGoroutines(t)
			test(t, f)
		})
	}
}

// The forms do the same for a script that uses every step.
func TestScriptFormsAreEqual(t *testing.T) {
	conversation := on("/", connected(), sendOutOfOrder(sendText("early")), send(accept("")), textMessage("go"), signal("gone on"),
		wait("proceed"), note("proceeded"), binaryMessage("\x00"),
		floodStep{sendText("flood"), 3, func(err error) error { return err }},
		closed(3000, "why"), sendGone(sendText("late")), raise())
	eachScriptForm(t, func(t *testing.T, f scriptForm) {
		r, x := play(t, f, WebSocketScope("/"), conversation, func(s *session, x *Exchange) {
			x.Deliver(&asgi.WebSocketConnect{}, &asgi.WebSocketReceive{Data: []byte("go")})
			x.Wait("the signal", func() bool {
				x.Post(func() {}) // look again
				select {
				case <-s.point("gone on"):
					return true
				default:
					return false
				}
			})
			x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Binary, Data: []byte{0}})
			s.noted()
			s.signal("proceed")
			x.WaitSent(4)
			s.noted("proceeded")
			x.Deliver(&asgi.WebSocketDisconnect{Code: 3000, Reason: "why"})
			x.WaitEnded()
			s.waitIdle()
		})
		if len(r.failures()) > 0 {
			t.Error(r.failures())
		}
		if f.name != formAdapted && x.Err() != errRaised {
			t.Errorf("ended with %v", x.Err())
		}
		want := []string{"websocket.accept", "websocket.send", "websocket.send", "websocket.send"}
		for i, ev := range x.Sent() {
			if ev.EventType() != want[i] {
				t.Errorf("event %d is %s, want %s", i, ev.EventType(), want[i])
			}
		}
	})
}

func TestScriptEnds(t *testing.T) {
	for name, test := range map[string]struct {
		last  []step
		fails func(err error) bool
	}{
		"returns": {nil, func(err error) bool { return err == nil }},
		"raises":  {[]step{raise()}, func(err error) bool { return err == errRaised }},
		"panics": {[]step{die()}, func(err error) bool {
			_, ok := err.(*asgi.PanicError)
			return ok
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachScriptForm(t, func(t *testing.T, f scriptForm) {
				steps := append([]step{emptyRequest(), send(start(200)), send(more("half"))}, test.last...)
				r, x := play(t, f, HTTPScope("GET", "/"), on("/", steps...), func(s *session, x *Exchange) {
					x.Deliver(&asgi.HTTPRequest{})
					x.WaitEnded()
					s.waitIdle()
				})
				if len(r.failures()) > 0 || !test.fails(x.Err()) || len(x.Sent()) != 2 {
					t.Errorf("ended with %v after %d events: %v", x.Err(), len(x.Sent()), r.failures())
				}
			})
		})
	}
}

// A script whose engine misbehaves fails, and says at which step and why.
func TestScriptFailures(t *testing.T) {
	connect := &asgi.WebSocketConnect{}
	for name, test := range map[string]struct {
		steps  []step
		events []asgi.ReceiveEvent
		want   string
	}{
		"another event":  {[]step{connected(), textMessage("x")}, []asgi.ReceiveEvent{connect, &asgi.WebSocketDisconnect{Code: 1006}}, "received websocket.disconnect 1006"},
		"another text":   {[]step{connected(), textMessage("x")}, []asgi.ReceiveEvent{connect, &asgi.WebSocketReceive{Data: []byte("y")}}, `text message "y", want text message "x"`},
		"another kind":   {[]step{connected(), binaryMessage("x")}, []asgi.ReceiveEvent{connect, &asgi.WebSocketReceive{Data: []byte("x")}}, `text message "x", want binary`},
		"another code":   {[]step{connected(), closed(1000, "")}, []asgi.ReceiveEvent{connect, &asgi.WebSocketDisconnect{Code: 1006}}, "code 1006"},
		"another reason": {[]step{connected(), closed(1000, "a")}, []asgi.ReceiveEvent{connect, &asgi.WebSocketDisconnect{Code: 1000, Reason: "b"}}, `reason "b"`},
		"no order":       {[]step{connected(), sendOutOfOrder(accept(""))}, []asgi.ReceiveEvent{connect}, "want an OrderError"},
		"order":          {[]step{connected(), send(sendText("x"))}, []asgi.ReceiveEvent{connect}, "websocket.send is not legal now"},
		"not gone":       {[]step{connected(), sendGone(accept(""))}, []asgi.ReceiveEvent{connect}, "want ErrDisconnected"},
		"wrong scope": {[]step{scopeHas(func(sc *asgi.Scope) error { return want("path", sc.Path, "/other") })},
			nil, `path is "/", want "/other"`},
		"flood": {[]step{connected(), send(accept("")), floodStep{sendText("x"), 3, wantGone}},
			[]asgi.ReceiveEvent{connect}, "got error <nil>, want ErrDisconnected"},
	} {
		t.Run(name, func(t *testing.T) {
			eachScriptForm(t, func(t *testing.T, f scriptForm) {
				r, _ := play(t, f, WebSocketScope("/"), on("/", test.steps...), func(s *session, x *Exchange) {
					x.Deliver(test.events...)
					x.WaitEnded()
					s.waitIdle()
				})
				got := strings.Join(r.failures(), "\n")
				if len(r.failures()) != 1 || !strings.Contains(got, test.want) || !strings.Contains(got, "/, step ") {
					t.Errorf("the script reports %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestMalformedMustBeRefused(t *testing.T) {
	eachScriptForm(t, func(t *testing.T, f scriptForm) {
		r, _ := play(t, f, HTTPScope("GET", "/"), on("/", sendMalformed(start(200))), func(s *session, x *Exchange) {
			x.WaitEnded()
			s.waitIdle()
		})
		if got := len(r.failures()); (got == 1) == f.late {
			t.Errorf("%d failures: %v", got, r.failures())
		}
	})
}

func TestRequestBodies(t *testing.T) {
	body := func(text string, more bool) asgi.ReceiveEvent {
		return &asgi.HTTPRequest{Body: []byte(text), MoreBody: more}
	}
	for name, test := range map[string]struct {
		step   step
		events []asgi.ReceiveEvent
		ok     bool
	}{
		"whole":        {request("ab"), []asgi.ReceiveEvent{body("ab", false)}, true},
		"pieces":       {request("ab"), []asgi.ReceiveEvent{body("a", true), body("", true), body("b", true), body("", false)}, true},
		"other":        {request("ab"), []asgi.ReceiveEvent{body("a", true), body("c", false)}, false},
		"short":        {request("ab"), []asgi.ReceiveEvent{body("a", false)}, false},
		"cut off":      {request("ab"), []asgi.ReceiveEvent{body("ab", true), &asgi.HTTPDisconnect{}}, false},
		"part":         {requestPart("ab"), []asgi.ReceiveEvent{body("a", true), body("b", true)}, true},
		"part ended":   {requestPart("ab"), []asgi.ReceiveEvent{body("ab", false)}, false},
		"part too big": {requestPart("a"), []asgi.ReceiveEvent{body("ab", true)}, false},
		"empty":        {emptyRequest(), []asgi.ReceiveEvent{body("", false)}, true},
		"not empty":    {emptyRequest(), []asgi.ReceiveEvent{body("", true)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			match := test.step.(receiveStep).match()
			var done bool
			var err error
			for _, ev := range test.events {
				if done, err = match(ev); err != nil {
					break
				}
			}
			if (done && err == nil) != test.ok {
				t.Errorf("done %v with %v", done, err)
			}
		})
	}
}
