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
