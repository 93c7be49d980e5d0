// Package client is the browser's end of a hub: an ES module without dependencies
// and without a build step, embedded in the program that serves it.
//
//	mux.HTTP("/hub/client.js", client.New())
//	mux.HTTP("/hub/client.d.ts", client.New())
//
// A page has it with
//
//	import { Hub } from "/hub/client.js";
//
//	const hub = new Hub("/hub");
//	hub.subscribe("room", { last: 50, onmessage: (m) => show(m), ongap: (g) => reload() });
//	await hub.publish("room", { text: "hello" });
//
// client.d.ts has the types, and says what everything means.
//
// # What it does
//
// All subscriptions of a Hub share one connection, for over HTTP/1.1 a browser has
// six to a server. It prefers WebSocket to server-sent events to long-polling,
// leaves a transport that does not work, and tries a better one beside it now and
// then. It comes back by itself, with full jitter, and goes on behind the last
// message of each channel. What it has seen it knows by its place, so that each
// message comes once and in order over all connections and transports, or the
// application is told that there is a gap. A publication has a key and is
// repeated until it is confirmed.
//
// It evaluates no text as code and touches nothing of the page, so that every
// Content-Security-Policy will do that lets it connect, with connect-src 'self'.
//
// # What it expects of the server
//
// Below the address of the hub: ws (see handlers/hub/socket), sse
// (handlers/sse), poll (handlers/longpoll) and publish (handlers/hub/api). A
// transport that is not there is one that does not work; without publish, there is
// publishing over WebSocket only.
//
// # Concurrency
//
// The handler that New returns is safe for concurrent use.
package client

import (
	"embed"
	"path"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/static"
)

//go:embed client.js client.d.ts
var files embed.FS

// New returns a handler that serves client.js and client.d.ts by the last part of
// a request's path, wherever it is mounted. Pages of every origin may load them:
// they hold nothing that is anybody's. Browsers ask each time whether they are still
// the same.
func New() asgi.Handler {
	served, err := static.New(static.Config{
		FS:      files,
		Headers: []asgi.Header{{Name: "access-control-allow-origin", Value: "*"}},
	})
	if err != nil {
		panic("client: " + err.Error()) // the files are part of the program
	}
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		here := *scope
		here.Path, here.RootPath = "/"+path.Base(scope.Path), ""
		return served.Open(&here, x)
	})
}
