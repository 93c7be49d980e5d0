package main

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/asgi/server"
)

// engine is what serves an application: the event loop, or net/http.
type engine interface {
	Listen(network, address string) (net.Addr, error)
	ListenOn(l net.Listener) (net.Addr, error)
	Run(ctx context.Context) error
	Close() error
}

// The names of the engines.
const (
	engineLoop    = "loop"
	engineNetHTTP = "nethttp"
)

// newEngine makes the named engine with the limits of c that the program sets. Only
// net/http speaks TLS; nil is none.
func newEngine(name string, c server.Config, secure *tls.Config) (engine, error) {
	if name == engineNetHTTP {
		return nethttp.NewServer(nethttp.Config{
			Handler:        c.Handler,
			Logger:         c.Logger,
			AccessLog:      c.AccessLog,
			RootPath:       c.RootPath,
			Name:           c.Name,
			Headers:        c.Headers,
			TrustedProxies: c.TrustedProxies,
			AllowedOrigins: c.AllowedOrigins,
			WebSocket:      c.WebSocket,
			MaxBodyBytes:   c.HTTP.MaxBodyBytes,
			DrainTimeout:   c.DrainTimeout,
			TLS:            secure,
		})
	}
	if secure != nil {
		return nil, usagef("the event loop does not speak TLS: choose --engine nethttp, or a proxy in front of it")
	}
	return server.New(c)
}
