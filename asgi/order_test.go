package asgi_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gale-server/gale/asgi"
)

// sendEvents has one event for each way an event counts in the order.
var sendEvents = map[string]asgi.SendEvent{
	"hint":              &asgi.HTTPEarlyHint{},
	"start":             &asgi.HTTPResponseStart{Status: 200},
	"start+":            &asgi.HTTPResponseStart{Status: 200, Trailers: true},
	"body+":             &asgi.HTTPResponseBody{MoreBody: true},
	"body":              &asgi.HTTPResponseBody{},
	"zerocopy+":         &asgi.HTTPResponseZeroCopySend{MoreBody: true},
	"zerocopy":          &asgi.HTTPResponseZeroCopySend{},
	"pathsend":          &asgi.HTTPResponsePathSend{},
	"trailers+":         &asgi.HTTPResponseTrailers{MoreTrailers: true},
	"trailers":          &asgi.HTTPResponseTrailers{},
	"accept":            &asgi.WebSocketAccept{},
	"send":              &asgi.WebSocketSend{},
	"close":             &asgi.WebSocketClose{},
	"denial":            &asgi.WebSocketDenialStart{},
	"denied+":           &asgi.WebSocketDenialBody{MoreBody: true},
	"denied":            &asgi.WebSocketDenialBody{},
	"startup.complete":  &asgi.LifespanStartupComplete{},
	"startup.failed":    &asgi.LifespanStartupFailed{},
	"shutdown.complete": &asgi.LifespanShutdownComplete{},
	"shutdown.failed":   &asgi.LifespanShutdownFailed{},
}

var receiveEvents = map[string]asgi.ReceiveEvent{
	"request+":   &asgi.HTTPRequest{MoreBody: true},
	"request":    &asgi.HTTPRequest{},
	"gone":       &asgi.HTTPDisconnect{},
	"connect":    &asgi.WebSocketConnect{},
	"message":    &asgi.WebSocketReceive{},
	"disconnect": &asgi.WebSocketDisconnect{},
	"startup":    &asgi.LifespanStartup{},
	"shutdown":   &asgi.LifespanShutdown{},
	"drain":      &asgi.Drain{},
	"writable":   &asgi.Writable{},
}

// side is one direction of a conversation: how to reach each of its states, and
// everything that is legal there, with the state it leads to. What is not
// listed is illegal.
type side struct {
	scope asgi.ScopeType
	reach map[asgi.State]string // events, separated by spaces
	legal map[asgi.State]map[string]asgi.State
}

var sendSides = []side{
	{
		scope: asgi.ScopeHTTP,
		reach: map[asgi.State]string{
			asgi.HTTPWaiting:         "",
			asgi.HTTPStarted:         "start",
			asgi.HTTPBody:            "start body+",
			asgi.HTTPStartedTrailers: "start+",
			asgi.HTTPBodyTrailers:    "start+ body+",
			asgi.HTTPTrailers:        "start+ body",
			asgi.HTTPComplete:        "start body",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.HTTPWaiting: {"hint": asgi.HTTPWaiting, "start": asgi.HTTPStarted, "start+": asgi.HTTPStartedTrailers},
			asgi.HTTPStarted: {
				"hint": asgi.HTTPStarted, "body+": asgi.HTTPBody, "zerocopy+": asgi.HTTPBody,
				"body": asgi.HTTPComplete, "zerocopy": asgi.HTTPComplete, "pathsend": asgi.HTTPComplete,
			},
			asgi.HTTPBody: {
				"body+": asgi.HTTPBody, "zerocopy+": asgi.HTTPBody,
				"body": asgi.HTTPComplete, "zerocopy": asgi.HTTPComplete,
			},
			asgi.HTTPStartedTrailers: {
				"hint": asgi.HTTPStartedTrailers, "body+": asgi.HTTPBodyTrailers, "zerocopy+": asgi.HTTPBodyTrailers,
				"body": asgi.HTTPTrailers, "zerocopy": asgi.HTTPTrailers,
			},
			asgi.HTTPBodyTrailers: {
				"body+": asgi.HTTPBodyTrailers, "zerocopy+": asgi.HTTPBodyTrailers,
				"body": asgi.HTTPTrailers, "zerocopy": asgi.HTTPTrailers,
			},
			asgi.HTTPTrailers: {"trailers+": asgi.HTTPTrailers, "trailers": asgi.HTTPComplete},
			asgi.HTTPComplete: {},
		},
	},
	{
		scope: asgi.ScopeWebSocket,
		reach: map[asgi.State]string{
			asgi.WebSocketConnecting: "",
			asgi.WebSocketOpen:       "accept",
			asgi.WebSocketDenying:    "denial",
			asgi.WebSocketClosed:     "accept close",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.WebSocketConnecting: {
				"accept": asgi.WebSocketOpen, "close": asgi.WebSocketClosed, "denial": asgi.WebSocketDenying,
			},
			asgi.WebSocketOpen:    {"send": asgi.WebSocketOpen, "close": asgi.WebSocketClosed},
			asgi.WebSocketDenying: {"denied+": asgi.WebSocketDenying, "denied": asgi.WebSocketClosed},
			asgi.WebSocketClosed:  {},
		},
	},
	{
		scope: asgi.ScopeLifespan,
		reach: map[asgi.State]string{
			asgi.LifespanStarting: "",
			asgi.LifespanRunning:  "startup.complete",
			asgi.LifespanComplete: "startup.complete shutdown.complete",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.LifespanStarting: {"startup.complete": asgi.LifespanRunning, "startup.failed": asgi.LifespanComplete},
			asgi.LifespanRunning:  {"shutdown.complete": asgi.LifespanComplete, "shutdown.failed": asgi.LifespanComplete},
			asgi.LifespanComplete: {},
		},
	},
}

var receiveSides = []side{
	{
		scope: asgi.ScopeHTTP,
		reach: map[asgi.State]string{
			asgi.HTTPRequestBody: "",
			asgi.HTTPRequestDone: "request",
			asgi.HTTPGone:        "gone",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.HTTPRequestBody: {
				"request+": asgi.HTTPRequestBody, "request": asgi.HTTPRequestDone, "gone": asgi.HTTPGone,
				"drain": asgi.HTTPRequestBody, "writable": asgi.HTTPRequestBody,
			},
			asgi.HTTPRequestDone: {"gone": asgi.HTTPGone, "drain": asgi.HTTPRequestDone, "writable": asgi.HTTPRequestDone},
			asgi.HTTPGone:        {"gone": asgi.HTTPGone},
		},
	},
	{
		scope: asgi.ScopeWebSocket,
		reach: map[asgi.State]string{
			asgi.WebSocketUnannounced: "",
			asgi.WebSocketReceiving:   "connect",
			asgi.WebSocketGone:        "connect disconnect",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.WebSocketUnannounced: {"connect": asgi.WebSocketReceiving},
			asgi.WebSocketReceiving: {
				"message": asgi.WebSocketReceiving, "disconnect": asgi.WebSocketGone,
				"drain": asgi.WebSocketReceiving, "writable": asgi.WebSocketReceiving,
			},
			asgi.WebSocketGone: {"disconnect": asgi.WebSocketGone},
		},
	},
	{
		scope: asgi.ScopeLifespan,
		reach: map[asgi.State]string{
			asgi.LifespanUnannounced: "",
			asgi.LifespanAnnounced:   "startup",
			asgi.LifespanStopping:    "startup shutdown",
		},
		legal: map[asgi.State]map[string]asgi.State{
			asgi.LifespanUnannounced: {"startup": asgi.LifespanAnnounced},
			asgi.LifespanAnnounced:   {"shutdown": asgi.LifespanStopping},
			asgi.LifespanStopping:    {},
		},
	},
}

func TestSendOrder(t *testing.T) {
	for _, s := range sendSides {
		for state, path := range s.reach {
			for name, ev := range sendEvents {
				t.Run(fmt.Sprintf("%s/%s/%s", s.scope, state, name), func(t *testing.T) {
					o := asgi.NewOrder(s.scope)
					for step := range strings.FieldsSeq(path) {
						if err := o.Send(sendEvents[step]); err != nil {
							t.Fatal(err)
						}
					}
					checkStep(t, o.SendState, state, s.legal[state], name, ev, func() error { return o.Send(ev) })
					if complete := len(s.legal[o.SendState()]) == 0; o.Complete() != complete {
						t.Errorf("Complete() is %v in %q", o.Complete(), o.SendState())
					}
				})
			}
		}
	}
}

func TestReceiveOrder(t *testing.T) {
	for _, s := range receiveSides {
		for state, path := range s.reach {
			for name, ev := range receiveEvents {
				t.Run(fmt.Sprintf("%s/%s/%s", s.scope, state, name), func(t *testing.T) {
					o := asgi.NewOrder(s.scope)
					for step := range strings.FieldsSeq(path) {
						if err := o.Receive(receiveEvents[step]); err != nil {
							t.Fatal(err)
						}
					}
					checkStep(t, o.ReceiveState, state, s.legal[state], name, ev, func() error { return o.Receive(ev) })
				})
			}
		}
	}
}

// checkStep takes one step from a state and holds it against the table.
func checkStep(t *testing.T, at func() asgi.State, from asgi.State, legal map[string]asgi.State, name string, ev asgi.Event, step func() error) {
	t.Helper()
	if at() != from {
		t.Fatalf("path leads to %q, not %q", at(), from)
	}
	err := step()
	if to, ok := legal[name]; ok {
		if err != nil || at() != to {
			t.Errorf("legal event leads to %q with %v, want %q", at(), err, to)
		}
		return
	}
	var order *asgi.OrderError
	if !errors.As(err, &order) {
		t.Fatalf("illegal event gives %v", err)
	}
	if order.State != from || order.Event != ev.EventType() {
		t.Errorf("error names %q and %q, want %q and %q", order.State, order.Event, from, ev.EventType())
	}
	if text := err.Error(); !strings.Contains(text, from.String()) || !strings.Contains(text, ev.EventType()) {
		t.Errorf("text %q does not name state and event", text)
	}
	if at() != from {
		t.Errorf("an error moved the order to %q", at())
	}
}

func TestStateNames(t *testing.T) {
	seen := map[string]asgi.State{}
	for _, sides := range [][]side{sendSides, receiveSides} {
		for _, s := range sides {
			for state := range s.reach {
				name := state.String()
				if other, taken := seen[name]; taken || name == "no state" {
					t.Errorf("states %d and %d are both called %q", other, state, name)
				}
				seen[name] = state
			}
		}
	}
	if got := asgi.State(255).String(); got != "no state" {
		t.Errorf("an unknown state is called %q", got)
	}
}

// The receive side and the send side advance apart: an application may answer
// before it has read, and read after it has answered.
func TestSidesAreIndependent(t *testing.T) {
	o := asgi.NewOrder(asgi.ScopeHTTP)
	for _, step := range []error{
		o.Send(&asgi.HTTPResponseStart{Status: 200}),
		o.Receive(&asgi.HTTPRequest{MoreBody: true}),
		o.Send(&asgi.HTTPResponseBody{}),
		o.Receive(&asgi.HTTPRequest{}),
	} {
		if step != nil {
			t.Error(step)
		}
	}
	if !o.Complete() || o.ReceiveState() != asgi.HTTPRequestDone {
		t.Errorf("order is %q, %q", o.SendState(), o.ReceiveState())
	}
}

// No event, in an interface or as a pointer, is refused in every state.
func TestNilEvents(t *testing.T) {
	nils := []asgi.SendEvent{nil}
	for _, ev := range sendEvents {
		nils = append(nils, reflect.Zero(reflect.TypeOf(ev)).Interface().(asgi.SendEvent))
	}
	for _, scope := range []asgi.ScopeType{asgi.ScopeHTTP, asgi.ScopeWebSocket, asgi.ScopeLifespan} {
		for _, ev := range nils {
			order := asgi.NewOrder(scope)
			if err := order.Send(ev); err != asgi.ErrNilEvent || order != asgi.NewOrder(scope) {
				t.Errorf("%s: %T: %v", scope, ev, err)
			}
			if !asgi.IsNil(ev) {
				t.Errorf("%T is not taken for nil", ev)
			}
		}
	}
	for name, ev := range sendEvents {
		if asgi.IsNil(ev) {
			t.Errorf("%s is taken for nil", name)
		}
	}
}
