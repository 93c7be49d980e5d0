// Package server makes an ASGI server of an event loop: it is the bridge
// between a conn's bytes, the protocol machines that understand them, and the
// application that is told about them in scopes and events.
//
//	eventloop.Conn --bytes--> http1.Machine     --> httpExchange --events--> asgi.Handler
//	                          websocket.Machine --> wsExchange
//
// A [Server] listens, runs the application's lifespan, serves until it is told
// to stop, and drains. Every conn is in one phase at a time: HTTP, where one
// request after the other gets an exchange of its own; then, after an accepted
// handshake, WebSocket, which has one exchange for the rest of the connection.
//
// # What it is not
//
// It routes nothing and knows no files or templates: that is the handler's.
//
// # Departures
//
// A client that leaves is missed whatever its conn does at the moment, also while
// nothing of it is read because the application does not receive, or because the
// next request waits for its turn. The application gets its disconnect, and the
// conn is closed.
//
//   - A reset, or a write that is answered with one, is a departure at once.
//   - The end of the client's stream is one for a WebSocket, and for a request if
//     [Config].HalfClose says so; else the response is made and delivered, and
//     shows whether somebody is there. Requests that were answered by then are
//     answered.
//   - What the client sent before it left is delivered to an application that
//     takes it within Config.DepartTimeout: of a body, or messages. A request that
//     waits behind another is not begun any more.
//   - A client that falls silent without an end is found by what it owes: a head, a
//     body at a rate, a pong, progress of a response. One that owes nothing, as
//     nothing is sent to it, is found by the kernel's probes after some minutes
//     of silence.
//
// What is read ahead of the application is bounded for each conn, by one read of 64
// KiB, and over all of them by Config.HeldBytes. The rest stays in the kernel.
//
// # Concurrency
//
// Everything but the methods of Server belongs to the loop of its conn.
//
// # Limits
//
// Every limit and timeout is a field of [Config] or of the Config of the
// machine concerned, with a safe default.
//
// # Specifications
//
//   - ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
//   - HTTP/1.1: https://www.rfc-editor.org/rfc/rfc9112
//   - WebSocket: https://www.rfc-editor.org/rfc/rfc6455
package server
