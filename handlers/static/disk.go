package static

import (
	"context"
	"errors"
	"sync"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// errBusy says that as many requests wait for the disk as may.
var errBusy = errors.New("static: too many requests wait for the disk")

// errClosed says that the handler was closed.
var errClosed = errors.New("static: the handler is closed")

// disk runs what may wait for a disk, off the loops.
//
// Safe for concurrent use.
type disk struct {
	class *executor.Class // nil: own
	own   workers
}

// run has fn called on another goroutine, or refused with why it is not, which may be
// at once. If fn panics, both are called.
func (d *disk) run(client string, fn func(), refused func(error)) {
	if d.class == nil {
		if !d.own.take(fn, refused) {
			refused(errBusy)
		}
		return
	}
	future, err := d.class.Submit(context.Background(), executor.Job{
		Run:    func(context.Context) (any, error) { fn(); return nil, nil },
		Client: client,
		Label:  "static",
	})
	if err != nil {
		refused(err)
		return
	}
	future.Notify(atOnce{}, func(_ any, err error) {
		if err != nil {
			refused(err)
		}
	}, nil)
}

// atOnce is an executor's Poster that is no loop.
type atOnce struct{}

func (atOnce) Post(fn func()) bool { fn(); return true }

// The bounds of a handler that has no executor.
const (
	ownWorkers = 32
	ownQueue   = 1024
)

// workers are goroutines that exist while there is work for them.
//
// Safe for concurrent use.
type workers struct {
	mu      sync.Mutex
	running int
	queue   []func()
}

// take has fn run, or reports that there is no room.
func (w *workers) take(fn func(), failed func(error)) bool {
	task := func() {
		defer func() {
			if v := recover(); v != nil {
				failed(asgi.Recovered(v))
			}
		}()
		fn()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.running < ownWorkers:
		w.running++
		go w.work(task) // ends when nothing waits
	case len(w.queue) < ownQueue:
		w.queue = append(w.queue, task)
	default:
		return false
	}
	return true
}

func (w *workers) work(task func()) {
	for {
		task()
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.running--
			w.mu.Unlock()
			return
		}
		task = w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.mu.Unlock()
	}
}
