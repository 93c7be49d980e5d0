package asgi

import "time"

// LifespanStartup ("lifespan.startup", receive) asks the application to get
// ready; no connection is served before it answers.
type LifespanStartup struct{}

// LifespanStartupComplete ("lifespan.startup.complete", send) says that the
// application is ready.
type LifespanStartupComplete struct{}

// LifespanStartupFailed ("lifespan.startup.failed", send) makes the server log
// Message and exit.
type LifespanStartupFailed struct {
	Message string
}

// LifespanShutdown ("lifespan.shutdown", receive) arrives after the listeners
// have stopped and every connection is closed.
type LifespanShutdown struct{}

// LifespanShutdownComplete ("lifespan.shutdown.complete", send) lets the server
// end.
type LifespanShutdownComplete struct{}

// LifespanShutdownFailed ("lifespan.shutdown.failed", send) lets the server end
// with Message in its log.
type LifespanShutdownFailed struct {
	Message string
}

// Drain ("gale.drain", receive) announces that the server is about to stop, on
// every open exchange of a server that lists the extension. The exchange goes
// on until it ends by itself or Deadline passes.
type Drain struct {
	Deadline time.Time
}

// Writable ("gale.writable", receive, event form only) says that the outbox
// fell below its low watermark after [Exchange.Congested] was true. In
// coroutine form send waits for this by itself.
type Writable struct{}

func (*LifespanStartup) EventType() string          { return "lifespan.startup" }
func (*LifespanStartupComplete) EventType() string  { return "lifespan.startup.complete" }
func (*LifespanStartupFailed) EventType() string    { return "lifespan.startup.failed" }
func (*LifespanShutdown) EventType() string         { return "lifespan.shutdown" }
func (*LifespanShutdownComplete) EventType() string { return "lifespan.shutdown.complete" }
func (*LifespanShutdownFailed) EventType() string   { return "lifespan.shutdown.failed" }
func (*Drain) EventType() string                    { return "gale.drain" }
func (*Writable) EventType() string                 { return "gale.writable" }

func (*LifespanStartup) receiveSymbol() symbol  { return symStartup }
func (*LifespanShutdown) receiveSymbol() symbol { return symShutdown }
func (*Drain) receiveSymbol() symbol            { return symDrain }
func (*Writable) receiveSymbol() symbol         { return symWritable }

func (e *LifespanStartupComplete) sendSymbol() symbol  { return given(e != nil, symStartupComplete) }
func (e *LifespanStartupFailed) sendSymbol() symbol    { return given(e != nil, symStartupFailed) }
func (e *LifespanShutdownComplete) sendSymbol() symbol { return given(e != nil, symShutdownComplete) }
func (e *LifespanShutdownFailed) sendSymbol() symbol   { return given(e != nil, symShutdownFailed) }

func (*LifespanStartup) clone() Event          { return &LifespanStartup{} }
func (*LifespanStartupComplete) clone() Event  { return &LifespanStartupComplete{} }
func (e *LifespanStartupFailed) clone() Event  { return &LifespanStartupFailed{Message: e.Message} }
func (*LifespanShutdown) clone() Event         { return &LifespanShutdown{} }
func (*LifespanShutdownComplete) clone() Event { return &LifespanShutdownComplete{} }
func (e *LifespanShutdownFailed) clone() Event { return &LifespanShutdownFailed{Message: e.Message} }
func (e *Drain) clone() Event                  { return &Drain{Deadline: e.Deadline} }
func (*Writable) clone() Event                 { return &Writable{} }
