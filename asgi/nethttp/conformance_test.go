package nethttp_test

import (
	"cmp"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/nethttp"
)

// Every clause of the specifications, in every form of an application, over
// real sockets; but what net/http makes impossible.
func TestConformance(t *testing.T) {
	asgitest.Run(t, asgitest.Engine{Start: startEngine, Without: map[string]string{
		"http/29 a half-close is not a disconnect":       "net/http takes the end of the client's stream for its departure",
		"http/140 the order of header names is kept":     "net/http keeps no order of names",
		"http/141 the order of response headers is kept": "net/http sorts fields by name",
		"http/142 the order of trailers is kept":         "net/http sorts trailers by name",
	}})
}

func startEngine(tb testing.TB, h asgi.Handler, setup asgitest.Setup) (*asgitest.Server, error) {
	srv, err := nethttp.NewServer(nethttp.Config{
		Handler:        h,
		RootPath:       setup.RootPath,
		Headers:        setup.Headers,
		TrustedProxies: setup.TrustedProxies,
		DepartTimeout:  setup.DepartTimeout,
		CloseTimeout:   setup.CloseTimeout,
		DrainTimeout:   10 * time.Second,                                    // half of it is the spread of 1012, the other half is for a slow machine
		Logger:         cmp.Or(setup.Logger, slog.New(slog.DiscardHandler)), // failures are what the cases are about
		AccessLog:      setup.AccessLog,
		WriteTimeout:   setup.WriteTimeout,
	})
	if err != nil {
		return nil, err
	}
	addr, err := srv.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }() // ends by Stop, and is waited for there
	return &asgitest.Server{
		Addr: addr.String(),
		Stop: func() error {
			cancel()
			return <-done
		},
	}, nil
}
