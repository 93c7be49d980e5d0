package server_test

import (
	"cmp"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/eventloop"
)

// Every clause of the specifications, in every form of an application, over
// real sockets.
func TestConformance(t *testing.T) {
	asgitest.Run(t, asgitest.Engine{Start: startEngine})
}

func startEngine(tb testing.TB, h asgi.Handler, setup asgitest.Setup) (*asgitest.Server, error) {
	half := server.HalfCloseServes
	if setup.Departs {
		half = server.HalfCloseDisconnects
	}
	srv, err := server.New(server.Config{
		Handler:        h,
		RootPath:       setup.RootPath,
		Headers:        setup.Headers,
		TrustedProxies: setup.TrustedProxies,
		HalfClose:      half,
		DepartTimeout:  setup.DepartTimeout,
		CloseTimeout:   setup.CloseTimeout,
		DrainTimeout:   10 * time.Second,                                    // half of it is the spread of 1012, the other half is for a slow machine
		Logger:         cmp.Or(setup.Logger, slog.New(slog.DiscardHandler)), // failures are what the cases are about
		AccessLog:      setup.AccessLog,
		Loop:           eventloop.Config{WriteTimeout: setup.WriteTimeout},
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
