// Package socket is the hub's WebSocket: the subprotocol "gale.hub.v1", with
// which a client subscribes to many channels over one connection, publishes, and
// comes back after a loss without missing anything.
//
//	ws, err := socket.New(socket.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
//	mux.WebSocket("/hub/ws", ws)
//
// What goes over the wire is in PROTOCOL.md, beside this file.
//
// # What this package is not
//
// It looks at no Origin: the engine does, before it opens an exchange. It knows
// no tokens: [Config.Authenticate] does. Of the messages it keeps nothing: a
// subscription is a place in the channel's history, and the hub's.
//
// # How it works
//
// A connection is a hub.Outlet. It takes messages until its outbox is congested,
// and goes on when that is writable: meanwhile the messages wait in the history,
// where they are anyway. A message is encoded once, however many get it; of
// several at once a frame is made once for all that get the same.
//
// Commands are carried out in the order they come. One that has to wait for the
// broker lets others by, up to a bound; then, or while the connection is
// congested, no more are read. So a client that does not read cannot make the
// server hold answers for it.
//
// # Concurrency
//
// A [Handler] is for all connections; each belongs to its loop. There is no
// goroutine per connection, and no lock on the way of a message.
//
// # Limits
//
// Each is a field of [Config], of the hub's Config, or a constant that
// PROTOCOL.md names. An idle connection holds no buffer.
//
// # Specifications
//
//   - WebSocket: https://www.rfc-editor.org/rfc/rfc6455
//   - JSON: https://www.rfc-editor.org/rfc/rfc8259
package socket
