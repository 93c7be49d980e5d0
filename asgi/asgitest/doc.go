// Package asgitest drives ASGI applications in memory and holds the conformance
// suite that every engine must pass.
//
// # Driving an application
//
// [New] opens an exchange with a handler, without sockets: the test is the
// client, and the goroutine it runs on is the loop. It delivers events, looks at
// what was sent, moves a clock of its own and fills the outbox:
//
//	x := asgitest.New(t, handler, asgitest.WebSocketScope("/chat"))
//	x.Deliver(&asgi.WebSocketConnect{})
//	x.Deliver(&asgi.WebSocketReceive{Data: []byte("hello")})
//	x.Advance(25 * time.Second)
//	got := x.Sent()
//
// [Get] and [Do] are whole requests in one call. An exchange is stricter than an
// engine: it fails the test when either side breaks the order of events, when
// the application calls it from a foreign goroutine, and it overwrites the
// payload of an event once the handler has returned from it.
//
// # Testing an engine
//
// [Run] starts an engine with small scripted applications and talks to it over
// TCP in raw bytes, one numbered case for each clause of the specifications.
// Every case runs in each form of an application, so that the suite shows the
// forms to be equal.
//
// # What this package is not
//
// No mock of a protocol: an Exchange knows the events of ASGI and their order,
// and nothing of status lines or frames.
//
// # Concurrency
//
// An Exchange belongs to the goroutine that made it, except for Post and Owned.
//
// # Specifications
//
//   - ASGI 3.0: https://asgi.readthedocs.io/en/latest/specs/main.html
//   - HTTP and WebSocket messages 2.5: https://asgi.readthedocs.io/en/latest/specs/www.html
//   - Lifespan 2.0: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
//   - Extensions: https://asgi.readthedocs.io/en/latest/extensions.html
package asgitest
