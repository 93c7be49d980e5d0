package asgitest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gale-server/gale/asgi"
)

const (
	specLifespanScope = specLifespan + "#scope"
	specStartup       = specLifespan + "#startup-receive-event"
	specFailed        = specLifespan + "#startup-failed-send-event"
	specShutdown      = specLifespan + "#shutdown-receive-event"
	specState         = specLifespan + "#lifespan-state"
)

func startup() step  { return one[*asgi.LifespanStartup](nil) }
func shutdown() step { return one[*asgi.LifespanShutdown](nil) }

func ready() step { return send(&asgi.LifespanStartupComplete{}) }
func ended() step { return send(&asgi.LifespanShutdownComplete{}) }

// lifespan is an orderly one with something done at its startup.
func lifespan(before ...step) script {
	steps := append([]step{startup()}, before...)
	return on(onLifespan, append(steps, ready(), shutdown(), ended())...)
}

var lifespanCases = []testCase{
	{
		name:   "lifespan/01 scope keys",
		clause: `type "lifespan", asgi.spec_version "2.0", an empty state to fill`,
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(lifespan(scopeHas(func(sc *asgi.Scope) error {
				if sc.State == nil {
					return errors.New("there is no state")
				}
				return want("scope", fmt.Sprint(sc.Type, " ", sc.SpecVersion, " ", len(sc.State)), "lifespan 2.0 0")
			}), signal("started")), respond("/", "ok"))
			s.wait("started")
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/02 startup before the first connection",
		clause: "lifespan.startup: before any connection is processed; the server waits for startup.complete",
		link:   specStartup,
		run: func(s *session) {
			go func() { // ends when the application is there, or with the case
				select {
				case <-s.point("starting"):
					s.note("starting")
					s.signal("go on")
				case <-s.ctx.Done():
				}
			}()
			s.serve(lifespan(signal("starting"), wait("go on"), note("started")), respond("/", "ok", note("served")))
			s.dial().get("/").is(200, "ok")
			s.noted("starting", "started", "served")
		},
	},
	{
		name:   "lifespan/03 startup fails",
		clause: "lifespan.startup.failed: the server says why and exits; nobody is served",
		link:   specFailed,
		run: func(s *session) {
			failed := send(&asgi.LifespanStartupFailed{Message: "no database"})
			err := s.start(Setup{}, on(onLifespan, startup(), failed), respond("/", "ok"))
			if err == nil {
				if err := s.refused(); err != nil {
					s.tb.Error(err)
				}
				err = s.stop()
			}
			if err == nil || !strings.Contains(err.Error(), "no database") {
				s.tb.Errorf("the engine reports %v, without the message", err)
			}
		},
	},
	{
		name:   "lifespan/04 raises on the scope",
		clause: "an exception on the scope: the server goes on without lifespan, and without state",
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(on(onLifespan, raise()), respond("/", "ok", scopeHas(stateless)))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/05 raises on startup",
		clause: "an exception on lifespan.startup: the server goes on without lifespan",
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), raise()), respond("/", "ok", scopeHas(stateless)))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/06 panics on startup",
		clause: "a panic is an exception",
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), die()), respond("/", "ok"))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/07 returns without a word",
		clause: "decision: an application that returns without answering does not support lifespan",
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(on(onLifespan, startup()), respond("/", "ok", scopeHas(stateless)))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/08 answers out of order",
		clause: "shutdown is not answered before startup; startup is answered once; no event of http",
		link:   specStartup,
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), sendOutOfOrder(&asgi.LifespanShutdownComplete{}), sendOutOfOrder(start(200)), ready(),
				sendOutOfOrder(&asgi.LifespanStartupFailed{}), sendOutOfOrder(&asgi.LifespanStartupComplete{}),
				signal("ordered"), shutdown(), ended()),
				respond("/", "ok"))
			s.wait("ordered")
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/09 shutdown after the last connection",
		clause: "lifespan.shutdown: when the server has stopped accepting connections and closed all active ones",
		link:   specShutdown,
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), ready(), shutdown(), note("shutdown"), ended()),
				on("/", emptyRequest(), signal("waiting"), one[*asgi.Drain](nil), send(start(200)), send(more("a")),
					wait("read"), note("last body"), send(last("b"))))
			w := s.dial()
			w.request("GET /")
			s.wait("waiting")
			stopped := make(chan error, 1)
			s.stopped = true
			go func() { stopped <- s.server.Stop() }()
			r := w.head()
			w.nextChunk("a")
			s.signal("read")
			w.body("GET", r)
			r.is(200, "b")
			w.ends()
			if err := <-stopped; err != nil {
				s.tb.Errorf("the engine stops with: %v", err)
			}
			s.noted("last body", "shutdown")
		},
	},
	{
		name:   "lifespan/10 the server waits for shutdown.complete",
		clause: "lifespan.shutdown.complete: the server must wait for it before it ends",
		link:   specLifespan + "#shutdown-complete-send-event",
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), ready(), shutdown(), signal("stopping"), wait("stop"), note("stopped"), ended()), respond("/", "ok"))
			s.dial().get("/").is(200, "ok")
			go func() { // ends when the application is there, or with the case
				select {
				case <-s.point("stopping"):
					s.note("stopping")
					s.signal("stop")
				case <-s.ctx.Done():
				}
			}()
			if err := s.stop(); err != nil {
				s.tb.Errorf("the engine stops with: %v", err)
			}
			s.noted("stopping", "stopped")
		},
	},
	{
		name:   "lifespan/11 shutdown fails",
		clause: "lifespan.shutdown.failed: the server says why and ends",
		link:   specLifespan + "#shutdown-failed-send-event",
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), ready(), shutdown(), send(&asgi.LifespanShutdownFailed{Message: "lost work"})), respond("/", "ok"))
			s.dial().get("/").is(200, "ok")
			if err := s.stop(); err == nil || !strings.Contains(err.Error(), "lost work") {
				s.tb.Errorf("the engine reports %v, without the message", err)
			}
		},
	},
	{
		name:   "lifespan/12 no shutdown for an application that has left",
		clause: "an application without lifespan gets no shutdown event, and one that returned after startup cannot",
		link:   specLifespanScope,
		run: func(s *session) {
			s.serve(on(onLifespan, startup(), ready()), respond("/", "ok"))
			s.dial().get("/").is(200, "ok")
		},
	},
	{
		name:   "lifespan/13 state is copied into each scope",
		clause: "state: a shallow copy of what the application has put there",
		link:   specState,
		run: func(s *session) {
			nested := make(chan string, 1)
			fill := scopeHas(func(sc *asgi.Scope) error {
				sc.State["key"], sc.State["nested"] = "value", nested
				return nil
			})
			check := func(sc *asgi.Scope) error {
				if err := want("state", fmt.Sprint(len(sc.State), sc.State["key"]), "2value"); err != nil {
					return err
				}
				sc.State["key"] = "rebound"
				sc.State["new"] = true
				select {
				case sc.State["nested"].(chan string) <- "shared":
				default:
				}
				return nil
			}
			s.serve(lifespan(fill), respond("/1", "ok", scopeHas(check)), respond("/2", "ok", scopeHas(check)),
				on("/ws", accepted(scopeHas(check), gone())...))
			w := s.dial()
			w.get("/1").is(200, "ok")
			w.get("/2").is(200, "ok")
			w = s.dial()
			w.upgrade("/ws")
			w.leave()
			if got := <-nested; got != "shared" {
				s.tb.Error("a nested value is not shared")
			}
		},
	},
	{
		name:   "lifespan/14 an empty state is a state",
		clause: "state: present when the application has a lifespan, even if it has put nothing there",
		link:   specState,
		run: func(s *session) {
			s.serve(lifespan(), respond("/", "ok", scopeHas(func(sc *asgi.Scope) error {
				if sc.State == nil || len(sc.State) > 0 {
					return fmt.Errorf("state is %v, want an empty map", sc.State)
				}
				return nil
			})))
			s.dial().get("/").is(200, "ok")
		},
	},
}

func stateless(sc *asgi.Scope) error {
	if sc.State != nil {
		return fmt.Errorf("state is %v, want none", sc.State)
	}
	return nil
}
