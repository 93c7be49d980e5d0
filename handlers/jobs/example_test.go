package jobs_test

import (
	"bytes"
	"context"
	"log"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/jobs"
)

func Example() {
	e, err := executor.New(executor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	service, err := jobs.New(jobs.Config{
		Class: e.Class(executor.CPU),
		Accept: func(r *jobs.Request) (executor.Job, error) {
			if len(r.Body) == 0 {
				return executor.Job{}, &jobs.Error{Status: 400, Reason: "there is no text"}
			}
			return executor.Job{Run: func(ctx context.Context) (any, error) {
				_ = executor.Report(ctx, executor.Progress{Percent: 50})
				return jobs.Result{ContentType: "text/plain", Body: bytes.ToUpper(r.Body)}, nil
			}}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := new(handlers.Mux)
	service.Mount(mux, "/jobs")
	mux.Lifespan(service)
	srv, err := server.New(server.Config{Handler: mux})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.Listen("tcp", "localhost:8080"); err != nil {
		log.Fatal(err)
	}
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := e.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
