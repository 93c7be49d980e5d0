package main

import (
	"context"
	"net"

	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
)

// engine is what serves an application: the event loop, or net/http.
type engine interface {
	Listen(network, address string) (net.Addr, error)
	Run(ctx context.Context) error
	Close() error
}

// The names of the engines.
const (
	engineLoop    = "loop"
	engineNetHTTP = "nethttp"
)

// newEngine makes the named engine with the limits of c that the program sets.
func newEngine(name string, c server.Config) (engine, error) {
	if name == engineNetHTTP {
		return nethttp.NewServer(nethttp.Config{
			Handler:      c.Handler,
			Logger:       c.Logger,
			AccessLog:    c.AccessLog,
			WebSocket:    c.WebSocket,
			MaxBodyBytes: c.HTTP.MaxBodyBytes,
			DrainTimeout: c.DrainTimeout,
		})
	}
	return server.New(c)
}
