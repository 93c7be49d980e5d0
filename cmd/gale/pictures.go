package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	workers "github.com/gale-server/gale/executor/process"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/images"
	"github.com/gale-server/gale/handlers/jobs"
)

// Where pictures are worked on.
const (
	picturesInClass   = "class"   // in this process, in the executor's cpu class
	picturesInProcess = "process" // in processes of their own
)

// The limits of the demo's pictures; those of each picture are images.Limits'
// own. A queue this short can be filled from one page, which is to be seen.
const (
	picturesQueued    = 256
	picturesOfClient  = 192     // of those; a page that saturates the machine fills half of the queue
	picturesRunBytes  = 1 << 30 // of memory at a time, as the headers foretell
	pictureTime       = 5 * time.Minute
	pictureResults    = 128 << 20 // bytes
	pictureUploads    = 128 << 20 // bytes
	picturesEndWithin = 5 * time.Second
)

var pictureLimits = images.Limits{}

// pictures is the part of the demo that works on pictures: the jobs, what runs
// them, and samples to try it with.
type pictures struct {
	executor *executor.Executor
	pool     *workers.Pool // nil: the work is done in this process
	service  *jobs.Service
	samples  *samples
	also     func() error // ends what else the demo has; nil: nothing
}

// newPictures starts nothing: processes and threads come with the first jobs.
func newPictures(where string, logger *slog.Logger) (p *pictures, err error) {
	p = &pictures{}
	limits := executor.ClassConfig{
		Name:       executor.CPU,
		CPU:        true,
		QueueJobs:  picturesQueued,
		ClientJobs: picturesOfClient,
		RunBytes:   picturesRunBytes,
	}
	classes := []executor.ClassConfig{limits}
	if where == picturesInProcess {
		limits.Name, limits.CPU = picturesInProcess, false
		limits.Workers = runtime.NumCPU() // threads that wait for as many processes
		classes = append(classes, limits)
		// They yield to everything else: where that is much, they are slow to start and
		// to answer, and no less alive.
		config := workers.Config{Workers: limits.Workers, Logger: logger, StartTimeout: pictureTime, HeartbeatTimeout: pictureTime}
		if p.pool, err = workers.New(config); err != nil {
			return nil, err
		}
	}
	if p.executor, err = executor.New(executor.Config{Classes: classes, Logger: logger}); err != nil {
		return nil, err
	}
	p.samples = newSamples(p.executor.Class(executor.CPU))
	p.service, err = jobs.New(jobs.Config{
		Class:          p.executor.Class(limits.Name),
		Accept:         p.accept,
		Client:         pageOf,
		MaxBodyBytes:   20 << 20, // as images.Limits.MaxBytes
		MaxUploadBytes: pictureUploads,
		MaxResultBytes: pictureResults,
		JobTimeout:     pictureTime,
		Logger:         logger,
	})
	return p, err
}

// mount adds the routes, and the lifespan, which ends what runs.
func (p *pictures) mount(mux *handlers.Mux) {
	p.service.Mount(mux, "/images/jobs")
	mux.HTTP("GET /images/samples", p.samples.list())
	mux.HTTP("GET /images/samples/*", asgi.Coroutine(p.samples.serve))
	mux.Lifespan(asgi.Goroutine(p.lifespan, nil)) // ending waits
}

func (p *pictures) lifespan(ctx context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
	for {
		ev, err := receive(ctx)
		if err != nil {
			return err
		}
		switch ev.(type) {
		case *asgi.LifespanStartup:
			err = send(ctx, &asgi.LifespanStartupComplete{})
		case *asgi.LifespanShutdown:
			if err := p.end(); err != nil {
				return send(ctx, &asgi.LifespanShutdownFailed{Message: err.Error()})
			}
			return send(ctx, &asgi.LifespanShutdownComplete{})
		}
		if err != nil {
			return err
		}
	}
}

// end cancels the jobs that are left and waits for those that run.
func (p *pictures) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), picturesEndWithin)
	defer cancel()
	p.service.Close()
	err := p.executor.Shutdown(ctx)
	if p.pool != nil {
		err = errors.Join(err, p.pool.Close(ctx))
	}
	if p.also != nil {
		err = errors.Join(err, p.also())
	}
	return err
}

// pageOf says whose jobs a page may see: those of the secret it has made up. A
// request without one is nobody's in particular.
func pageOf(scope *asgi.Scope) (string, error) {
	query, _ := url.ParseQuery(scope.QueryString) // what is malformed names nobody
	page := query.Get("page")
	if len(page) > 64 || page != "" && len(page) < 16 {
		return "", &jobs.Error{Status: http.StatusBadRequest, Reason: "page: 16 to 64 characters"}
	}
	return page, nil
}

// turnOf says whose turn a job takes: a network's, since secrets are made up at
// will. Only on this very machine, where all have one address, each page has its
// own.
func turnOf(scope *asgi.Scope, page string) string {
	network := handlers.NetworkOf(scope)
	if ip := net.ParseIP(scope.Client.Host); ip != nil && !ip.IsLoopback() {
		return network
	}
	return network + " " + page
}

// accept makes a job of a posted picture. What the picture would cost is known
// before it waits for anything. With the parameter saturate it is work for its
// own sake: whatever else there is comes before it, and nobody wants the result.
func (p *pictures) accept(r *jobs.Request) (executor.Job, error) {
	query := r.Query()
	request, err := images.ParseQuery(query)
	if err != nil {
		return executor.Job{}, err
	}
	info, err := images.Inspect(r.Body, pictureLimits)
	if err != nil {
		return executor.Job{}, err
	}
	plan, err := request.Plan(info, pictureLimits)
	if err != nil {
		return executor.Job{}, err
	}
	page, err := pageOf(r.Scope)
	if err != nil {
		return executor.Job{}, err
	}
	work, saturate := p.inClass, query.Get("saturate") != ""
	if p.pool != nil {
		work = p.inProcess
	}
	job := executor.Job{
		Run: func(ctx context.Context) (any, error) {
			result, err := work(ctx, picture{r.Body, query.Encode(), request})
			if saturate {
				result = jobs.Result{}
			}
			return result, err
		},
		Client:       turnOf(r.Scope, page),
		Label:        "picture",
		RunCost:      plan.Cost,
		MaxQueueTime: pictureTime, // the page shows how it waits
	}
	if saturate {
		job.Label, job.Priority = "saturate", executor.PriorityLow
	}
	return job, nil
}

// picture is what a job works on.
type picture struct {
	data    []byte
	query   string // that request was parsed from
	request images.Request
}

// inClass works on a picture where it is called.
func (p *pictures) inClass(ctx context.Context, of picture) (jobs.Result, error) {
	result, err := images.Transform(ctx, of.data, of.request, pictureLimits, inSteps(func(percent int) {
		_ = executor.Report(ctx, executor.Progress{Percent: percent}) // fails with ctx, as Transform does
	}))
	return jobs.Result{ContentType: result.ContentType, Body: result.Data}, err
}

// inSteps passes on each twentieth of the way: no page shows more.
func inSteps(report func(percent int)) func(percent int) {
	last := 0
	return func(percent int) {
		if percent >= last+5 || percent == 100 {
			last = percent
			report(percent)
		}
	}
}

// transformed is what a process says about its result. What is wrong with a
// picture is a result, too: an error would arrive as its text alone.
type transformed struct {
	ContentType string
	Status      int
	Reason      string
}

// maxReason bounds the reason in what a process says, in bytes.
const maxReason = 1 << 10

// check refuses what no process of ours says: one that reads strangers' pictures may have
// become theirs, and what it says goes to others.
func (t *transformed) check() error {
	if t.Status != 0 {
		if t.Status < 400 || t.Status > 599 || len(t.Reason) > maxReason {
			return errors.New("it gives no reason that a picture can have")
		}
		return nil
	}
	for _, f := range []images.Format{images.JPEG, images.PNG, images.GIF} {
		if t.ContentType == f.ContentType() {
			return nil
		}
	}
	return errors.New("its result is no picture")
}

const transformJob = "gale.transform"

func init() { workers.Register(transformJob, transform) }

// transform is what a process does with a picture.
func transform(ctx context.Context, in workers.Blob[string]) (out workers.Blob[transformed], err error) {
	query, err := url.ParseQuery(in.Meta)
	if err != nil {
		return out, err
	}
	request, err := images.ParseQuery(query)
	if err != nil {
		return out, err
	}
	result, err := images.Transform(ctx, in.Data, request, pictureLimits, inSteps(func(percent int) {
		_ = workers.Progress(ctx, percent) // a number travels
	}))
	var bad *images.Error
	if errors.As(err, &bad) {
		out.Meta = transformed{Status: bad.HTTPStatus(), Reason: bad.Error()}
		return out, nil
	}
	return workers.Blob[transformed]{Meta: transformed{ContentType: result.ContentType}, Data: result.Data}, err
}

// inProcess has a process work on a picture, and waits for it.
func (p *pictures) inProcess(ctx context.Context, of picture) (jobs.Result, error) {
	out, err := workers.Call[workers.Blob[string], workers.Blob[transformed]](ctx, p.pool, transformJob,
		workers.Blob[string]{Meta: of.query, Data: of.data},
		workers.OnProgress(func(percent int) { _ = executor.Report(ctx, executor.Progress{Percent: percent}) }))
	if err == nil {
		err = out.Meta.check()
	}
	switch {
	case err != nil:
		return jobs.Result{}, fmt.Errorf("in a process: %w", err)
	case out.Meta.Status != 0:
		return jobs.Result{}, &jobs.Error{Status: out.Meta.Status, Reason: out.Meta.Reason}
	}
	return jobs.Result{ContentType: out.Meta.ContentType, Body: out.Data}, nil
}
