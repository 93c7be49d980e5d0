// Package asgi is the contract between a server and an application, after the
// Asynchronous Server Gateway Interface: typed Go values for its scopes and
// messages, the legal order of messages, and the two forms an application may
// take.
//
// # The two forms
//
// The event form is a [Handler]: Open is called once per scope and returns a
// [Receiver], which is called on the connection's loop once per receive event
// and must not block. It costs no goroutine and no stack. The payload of a
// receive event is valid only during the call, and Send never blocks.
//
// The coroutine form is an [Application]: straight-line code over receive and
// send, as `async def app(scope, receive, send)` is in Python. [Coroutine] runs
// it as a coroutine on the loop: a receive that has nothing to return switches
// back to the loop directly. What it receives belongs to it.
//
// Code that blocks (database drivers, net/http handlers) takes one of two
// wrappers, which leave to the loop only the passing of messages: [Serial] for
// a Handler, [Goroutine] for an Application. [ApplicationOf] turns a Handler
// into an Application, for middleware written in the other form.
//
// # Large payloads
//
// An engine copies of a payload what it cannot write at once, unless it need not: a
// send event says so with its [Lifetime]. What never changes (Immutable) is referred
// to until it is sent, and may be sent to many. Memory that is used again is lent
// until the exchange is writable (UntilWritable). In coroutine form send does that
// by itself, since it can wait. What is being received may be sent back without a
// copy in event form, since nobody changes it.
//
// The other way, [Exchange.Keep] takes a received payload over, without a copy if
// the engine has gathered it apart, and [Recycle] gives the memory of a large one back
// to the loop. Both only save work: without them everything is right.
//
// # What this package is not
//
// It does no I/O and starts no server: engines implement [Exchange] and call
// handlers (asgi/server on the event loop). It depends on the standard library
// only.
//
// # Concurrency
//
// An Exchange, a Receiver and the receive and send of a coroutine belong to one
// loop. [Exchange.Post] is the one door for other goroutines; receive and send
// called from a foreign goroutine fail with [ErrForeignGoroutine].
//
// # Terminology
//
// A scope holds the immutable facts of one request or connection. An event is
// one ASGI message: a receive event goes from server to application, a send
// event the other way. An exchange is the conversation about one scope. The
// lifespan is the conversation about startup and shutdown.
//
// # Specifications
//
//   - ASGI 3.0: https://asgi.readthedocs.io/en/latest/specs/main.html
//   - HTTP and WebSocket messages 2.5: https://asgi.readthedocs.io/en/latest/specs/www.html
//   - Lifespan 2.0: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
//   - Extensions: https://asgi.readthedocs.io/en/latest/extensions.html
package asgi
