// Package nethttp joins ASGI applications and net/http, both ways.
//
//	http.Server --> Handler --events--> asgi.Handler      an application under net/http
//	asgi/server --> Application --> http.Handler          a net/http handler on the event loop
//
// A [Handler] is an engine: it serves any application as an http.Handler, with
// HTTP/2 and TLS as net/http has them and WebSockets by
// github.com/gorilla/websocket. A [Server] is a Handler with listeners, limits
// and an orderly end. It needs a goroutine and net/http's buffers for each
// connection, several KiB where the event loop needs less than one, and runs
// wherever Go does.
//
// [Application] is the other direction: an http.Handler (ServeMux, chi, gin,
// echo) as an application, for the event loop or any other engine.
//
// # What it is not
//
// Not a second HTTP implementation: what net/http and gorilla decide stays as
// they decide it. Where that differs from the event loop:
//
//   - Header fields keep their order within a name only, both ways; trailers
//     are sent in alphabetical order.
//   - The end of the client's stream is its departure: a half-close ends the
//     exchange, unless its response is complete.
//   - A chunk of a request body is delivered when it is whole, or 32 KiB of it.
//   - A request body that was not read to its end when the response begins costs
//     the connection (HTTP/1.1), which a streaming exchange of both bodies is,
//     too.
//   - net/http keeps a request, with all its fields, until its handler returns: an
//     open stream, a parked poll and a WebSocket hold up to MaxHeadBytes each.
//
// # Departures
//
// net/http looks for the end of a client's stream by reading one byte ahead, once it
// has read the body. A byte of a next request, or a body that the application does
// not read, hides it. A [Server] on Linux therefore asks the kernel, too, once for
// each connection, and misses every client that leaves as asgi/server does: at once,
// or after Config.DepartTimeout if it left something that the application has not
// taken. What the kernel does not know, because more lies before the end than its
// receive buffer takes, shows when that is read. A [Handler] under another
// http.Server, and a Server on another system, see what net/http sees: the others
// when something is written to them.
//
// # Concurrency
//
// Each exchange has a loop of its own: what the engine delivers and what is
// posted runs in order and one at a time, on whatever goroutine is at hand. An
// event handler that blocks holds up its own exchange only.
//
// # Limits
//
// Every limit and timeout is a field of [Config], with a safe default. What the
// event loop bounds besides is in the hands of net/http: its read buffer, 4 KiB,
// bounds trailers; its reader of chunks bounds what is no data, to 16 KiB beyond
// 16 bytes a chunk and twice its data; 256 KiB bound what it reads of a body that
// nobody read, half a second its lingering close. It has no cap on connections:
// when descriptors run out, it stops accepting until there are some. A slow head
// is closed without the 408 that the event loop sends.
//
// # Specifications
//
//   - ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
//   - HTTP semantics: https://www.rfc-editor.org/rfc/rfc9110
//   - WebSocket: https://www.rfc-editor.org/rfc/rfc6455
package nethttp
