// Package python serves applications of Python, by ASGI or WSGI, in worker processes that
// it starts, watches and replaces.
//
//	app, err := python.New(python.Config{App: "mysite.asgi:application", Dir: "mysite"})
//	srv, err := server.New(server.Config{Handler: app})
//
// gale holds the connections, parses, and waits for slow clients; a worker runs the
// application. On a router the handler is mounted like any other, and Mux.Lifespan gives
// it the lifespan by which it starts and stops.
//
// # The way of a request
//
// A request is given to one of the workers: one that has begun with all that it was
// given, and of these one with the fewest unanswered requests (handler.go). Between a
// worker and each event loop is a link, a Unix socket that the loop serves as it serves
// clients (link.go). What a turn of the loop has for a worker leaves in one message; so do
// the replies of a turn of the worker's loop. PROTOCOL.md has the messages, worker/ the
// worker, which is sent to the interpreter when it starts.
//
// By ASGI a request, or a WebSocket, is a stream in both directions. Credit bounds what is
// on its way in each (spoken.go): a client that does not read holds up the application's
// send, an application that does not receive holds up its client.
//
// By WSGI a thread sees a request when all of it is there, and is free again when gale has
// the response (call_wsgi.go). What has not come yet, or was not taken yet, is kept in
// memory and then in a file (spool.go).
//
// # Processes
//
// A worker that dies costs what it was doing: 502, a response that is visibly cut, 1012 on
// a WebSocket. Nothing is tried twice. It is replaced, after a pause that grows while
// workers die (slot.go). One that is old, large, or had its number of requests is replaced
// when its successor is ready (retire.go), and so are all upon Handler.Reload. No worker is
// killed for being busy, but for an event loop that stands still for Config.BlockTimeout.
//
// # The application and gale
//
// In a worker "import gale" speaks with this process: it publishes to Config.Hub, reads
// history and presence, and runs Config.Jobs on classes of Config.Executor. The other way
// Handler.Run runs what the application has registered as a job, and Handler.Ask, as a
// hub.Config.Ask, asks it who may follow a channel.
//
// # Concurrency
//
// A Handler is safe for concurrent use. Streams and links belong to loops.
//
// # Specifications
//
//   - ASGI 3.0, HTTP and WebSocket messages 2.5, lifespan 2.0:
//     https://asgi.readthedocs.io/en/latest/specs/index.html
//   - WSGI 1.0.1: https://peps.python.org/pep-3333/
package python
