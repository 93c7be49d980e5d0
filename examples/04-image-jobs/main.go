// Thumbnails as an HTTP service. A picture is posted; what it is, what it would
// cost and what is wrong with it is found on the loop, in microseconds. The work
// is a job of the executor's cpu class, whose threads have the lowest priority,
// so that connections do not wait for it. handlers/jobs is the HTTP around it:
// waiting for the result, progress, cancelling, and 503 when there is too much.
//
//	go run ./examples/04-image-jobs
//	curl --data-binary @photo.jpg -H 'Prefer: wait=30' -o small.jpg 'http://127.0.0.1:8080/images?width=320'
//	curl --data-binary @photo.jpg -i 'http://127.0.0.1:8080/images?width=320&rotate=90&format=png'
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/images"
	"github.com/gale-server/gale/handlers/jobs"
)

var limits images.Limits // the defaults are safe for pictures from strangers

// accept makes a job of a request. It is called on a loop and decodes nothing.
func accept(r *jobs.Request) (executor.Job, error) {
	request, err := images.ParseQuery(r.Query())
	if err != nil {
		return executor.Job{}, err // 400
	}
	info, err := images.Inspect(r.Body, limits)
	if err != nil {
		return executor.Job{}, err // 413, 415, 422
	}
	plan, err := request.Plan(info, limits)
	if err != nil {
		return executor.Job{}, err // 400
	}
	return executor.Job{
		Client:  handlers.NetworkOf(r.Scope), // clients take turns
		RunCost: plan.Cost,                   // in bytes: see RunBytes below
		Run: func(ctx context.Context) (any, error) {
			result, err := images.Transform(ctx, r.Body, request, limits, func(percent int) {
				_ = executor.Report(ctx, executor.Progress{Percent: percent}) // fails with ctx, as Transform does
			})
			return jobs.Result{ContentType: result.ContentType, Body: result.Data}, err
		},
	}, nil
}

// run serves on addr until ctx is done, and says where as soon as it is known.
func run(ctx context.Context, addr string, ready func(net.Addr)) error {
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{
		{Name: executor.CPU, CPU: true, RunBytes: 1 << 30}, // of pixels at a time
	}})
	if err != nil {
		return err
	}
	service, err := jobs.New(jobs.Config{Class: e.Class(executor.CPU), Accept: accept})
	if err != nil {
		return err
	}
	mux := new(handlers.Mux)
	service.Mount(mux, "/images")
	mux.Lifespan(service) // which ends the jobs that are left

	// A client that leaves while it waits is to be noticed: its job is cancelled.
	srv, err := server.New(server.Config{Handler: mux, HalfClose: server.HalfCloseDisconnects})
	if err != nil {
		return err
	}
	bound, err := srv.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(bound)
	err = srv.Run(ctx)
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, e.Shutdown(end))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, "127.0.0.1:8080", func(addr net.Addr) { log.Printf("post pictures to http://%s/images", addr) })
	if err != nil {
		log.Fatal(err)
	}
}
