package asgi

import "fmt"

// State is where an exchange stands in the legal order of its events.
type State uint8

// The states of the three conversations. The receive side of a conversation
// and its send side advance separately: an application may answer before it has
// read the whole request.
const (
	stateIllegal State = iota // the zero entry of a table: no such transition

	HTTPWaiting         // send: no response yet
	HTTPStarted         // send: response.start given, no body yet
	HTTPBody            // send: body under way
	HTTPStartedTrailers // as HTTPStarted, trailers announced
	HTTPBodyTrailers    // as HTTPBody, trailers announced
	HTTPTrailers        // send: body complete, trailers under way
	HTTPComplete        // send: response complete

	HTTPRequestBody // receive: request body under way
	HTTPRequestDone // receive: request body complete
	HTTPGone        // receive: disconnected

	WebSocketConnecting // send: neither accepted nor refused
	WebSocketDenying    // send: denial response started
	WebSocketOpen       // send: accepted
	WebSocketClosed     // send: closed or refused

	WebSocketUnannounced // receive: before websocket.connect
	WebSocketReceiving   // receive: messages
	WebSocketGone        // receive: disconnected

	LifespanStarting // send: startup not yet answered
	LifespanRunning  // send: started, shutdown not yet answered
	LifespanComplete // send: nothing more to say

	LifespanUnannounced // receive: before lifespan.startup
	LifespanAnnounced   // receive: startup delivered
	LifespanStopping    // receive: shutdown delivered

	numStates
)

var stateNames = [numStates]string{
	HTTPWaiting:          "waiting for http.response.start",
	HTTPStarted:          "response started",
	HTTPBody:             "response body under way",
	HTTPStartedTrailers:  "response with trailers started",
	HTTPBodyTrailers:     "response body before trailers under way",
	HTTPTrailers:         "trailers under way",
	HTTPComplete:         "response complete",
	HTTPRequestBody:      "request body under way",
	HTTPRequestDone:      "request complete",
	HTTPGone:             "http disconnected",
	WebSocketConnecting:  "waiting for websocket.accept",
	WebSocketDenying:     "denial response under way",
	WebSocketOpen:        "websocket open",
	WebSocketClosed:      "websocket closed",
	WebSocketUnannounced: "before websocket.connect",
	WebSocketReceiving:   "websocket receiving",
	WebSocketGone:        "websocket disconnected",
	LifespanStarting:     "waiting for lifespan.startup.complete",
	LifespanRunning:      "waiting for lifespan.shutdown.complete",
	LifespanComplete:     "lifespan complete",
	LifespanUnannounced:  "before lifespan.startup",
	LifespanAnnounced:    "lifespan started",
	LifespanStopping:     "lifespan stopping",
}

func (s State) String() string {
	if s < numStates && stateNames[s] != "" {
		return stateNames[s]
	}
	return "no state"
}

// symbol is an event as the tables see it: its type and, where that matters,
// whether more of the same follows.
type symbol uint8

const (
	symRequestMore symbol = iota
	symRequestLast
	symHTTPDisconnect
	symConnect
	symMessage
	symWebSocketDisconnect
	symStartup
	symShutdown
	symDrain
	symWritable

	symEarlyHint
	symStart
	symStartTrailers
	symBodyMore
	symBodyLast
	symPathSend
	symTrailersMore
	symTrailersLast
	symAccept
	symSend
	symClose
	symDenialStart
	symDenialBodyMore
	symDenialBodyLast
	symStartupComplete
	symStartupFailed
	symShutdownComplete
	symShutdownFailed
	symNil // no event at all, which is never legal

	numSymbols
)

// transitions is the legal order: the state that follows a state upon an event.
// An absent entry is the error.
var transitions = [numStates][numSymbols]State{
	HTTPWaiting: {
		symEarlyHint:     HTTPWaiting,
		symStart:         HTTPStarted,
		symStartTrailers: HTTPStartedTrailers,
	},
	HTTPStarted: {
		symEarlyHint: HTTPStarted,
		symBodyMore:  HTTPBody,
		symBodyLast:  HTTPComplete,
		symPathSend:  HTTPComplete,
	},
	HTTPBody: {
		symBodyMore: HTTPBody,
		symBodyLast: HTTPComplete,
	},
	HTTPStartedTrailers: {
		symEarlyHint: HTTPStartedTrailers,
		symBodyMore:  HTTPBodyTrailers,
		symBodyLast:  HTTPTrailers,
	},
	HTTPBodyTrailers: {
		symBodyMore: HTTPBodyTrailers,
		symBodyLast: HTTPTrailers,
	},
	HTTPTrailers: {
		symTrailersMore: HTTPTrailers,
		symTrailersLast: HTTPComplete,
	},
	WebSocketConnecting: {
		symAccept:      WebSocketOpen,
		symClose:       WebSocketClosed,
		symDenialStart: WebSocketDenying,
	},
	WebSocketDenying: {
		symDenialBodyMore: WebSocketDenying,
		symDenialBodyLast: WebSocketClosed,
	},
	WebSocketOpen: {
		symSend:  WebSocketOpen,
		symClose: WebSocketClosed,
	},
	LifespanStarting: {
		symStartupComplete: LifespanRunning,
		symStartupFailed:   LifespanComplete,
	},
	LifespanRunning: {
		symShutdownComplete: LifespanComplete,
		symShutdownFailed:   LifespanComplete,
	},

	HTTPRequestBody: {
		symRequestMore:    HTTPRequestBody,
		symRequestLast:    HTTPRequestDone,
		symHTTPDisconnect: HTTPGone,
		symDrain:          HTTPRequestBody,
		symWritable:       HTTPRequestBody,
	},
	HTTPRequestDone: {
		symHTTPDisconnect: HTTPGone,
		symDrain:          HTTPRequestDone,
		symWritable:       HTTPRequestDone,
	},
	HTTPGone: {
		symHTTPDisconnect: HTTPGone,
	},
	WebSocketUnannounced: {
		symConnect: WebSocketReceiving,
	},
	WebSocketReceiving: {
		symMessage:             WebSocketReceiving,
		symWebSocketDisconnect: WebSocketGone,
		symDrain:               WebSocketReceiving,
		symWritable:            WebSocketReceiving,
	},
	WebSocketGone: {
		symWebSocketDisconnect: WebSocketGone,
	},
	LifespanUnannounced: {
		symStartup: LifespanAnnounced,
	},
	LifespanAnnounced: {
		symShutdown: LifespanStopping,
	},
}

// OrderError says that an event came in a state where it is not legal. The
// order is unchanged by it.
//
// Safe for concurrent use: immutable.
type OrderError struct {
	State State
	Event string // the event's type
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("asgi: %s is not legal now: %s", e.Event, e.State)
}

// Order checks the order of an exchange's events. Engines hold one per exchange
// and apply it to what the application sends; test drivers apply it to what the
// engine delivers too.
//
// Not safe for concurrent use.
type Order struct {
	send, receive State
}

// NewOrder returns the order of a fresh exchange.
func NewOrder(t ScopeType) Order {
	switch t {
	case ScopeWebSocket:
		return Order{send: WebSocketConnecting, receive: WebSocketUnannounced}
	case ScopeLifespan:
		return Order{send: LifespanStarting, receive: LifespanUnannounced}
	default:
		return Order{send: HTTPWaiting, receive: HTTPRequestBody}
	}
}

// SendState returns where the application's side stands.
func (o *Order) SendState() State { return o.send }

// ReceiveState returns where the server's side stands.
func (o *Order) ReceiveState() State { return o.receive }

// Complete reports whether the application has nothing more to say. What it
// sends all the same is ignored by default.
func (o *Order) Complete() bool {
	return o.send == HTTPComplete || o.send == WebSocketClosed || o.send == LifespanComplete
}

// Send advances the order by an event of the application, or returns an
// [OrderError], or ErrNilEvent.
func (o *Order) Send(ev SendEvent) error {
	if ev == nil {
		return ErrNilEvent
	}
	symbol := ev.sendSymbol()
	next := transitions[o.send][symbol]
	if next == stateIllegal {
		if symbol == symNil {
			return ErrNilEvent
		}
		return &OrderError{State: o.send, Event: ev.EventType()}
	}
	o.send = next
	return nil
}

// Receive advances the order by an event of the server, or returns an
// [OrderError].
func (o *Order) Receive(ev ReceiveEvent) error {
	next := transitions[o.receive][ev.receiveSymbol()]
	if next == stateIllegal {
		return &OrderError{State: o.receive, Event: ev.EventType()}
	}
	o.receive = next
	return nil
}
