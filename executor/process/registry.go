package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/gale-server/gale/executor/process/wire"
)

// job is what a worker runs: the registered function between a decoder and an
// encoder.
type job struct {
	run   func(ctx context.Context, payload []byte) ([]byte, error)
	types string
}

var registry = struct {
	sync.Mutex
	jobs  map[string]job
	setup []func() error
}{jobs: map[string]job{}}

// Register gives workers the job name. Call it from init or from a package
// variable, so that it has run in the worker before [Main]; it panics if the
// name is empty, longer than 255 bytes, or taken, or if there are 1024 jobs.
//
// The input and the output travel as [Call] says. fn runs in the worker, one
// call at a time. ctx is done when the result is not wanted any more; fn then
// has Config.KillAfter to return. A []byte that fn gets is its own. An error
// reaches the caller as a [*RemoteError], and so does a panic.
//
// Safe for concurrent use.
func Register[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error)) {
	register(name, job{
		types: reflect.TypeFor[In]().String() + " " + reflect.TypeFor[Out]().String(),
		run: func(ctx context.Context, payload []byte) ([]byte, error) {
			in, err := decode[In](payload)
			if err != nil {
				return nil, &badInput{err}
			}
			out, err := fn(ctx, in)
			if err != nil {
				return nil, err
			}
			return encode(out)
		},
	})
}

func register(name string, j job) {
	registry.Lock()
	defer registry.Unlock()
	switch _, taken := registry.jobs[name]; {
	case taken:
		panic(fmt.Sprintf("process: job %q is registered twice", name))
	case name == "" || len(name) > wire.MaxNameBytes:
		panic(fmt.Sprintf("process: a job's name must have 1 to %d bytes, not %d", wire.MaxNameBytes, len(name)))
	case len(registry.jobs) == wire.MaxJobs:
		panic(fmt.Sprintf("process: a program has %d jobs at most", wire.MaxJobs))
	}
	registry.jobs[name] = j
}

// Setup has workers run fn once, after the functions given before, when they
// start and before they say that they are ready. A worker whose fn fails does
// not start, and the pool's callers get the error. Call it as Register.
//
// Safe for concurrent use.
func Setup(fn func() error) {
	registry.Lock()
	defer registry.Unlock()
	registry.setup = append(registry.setup, fn)
}

// jobs are the names of the registered jobs, sorted, and a digest of names and
// types.
func jobs() (names []string, digest string) {
	registry.Lock()
	defer registry.Unlock()
	names = slices.Sorted(maps.Keys(registry.jobs))
	sum := sha256.New()
	for _, name := range names {
		fmt.Fprintf(sum, "%q %q\n", name, registry.jobs[name].types)
	}
	return names, hex.EncodeToString(sum.Sum(nil)[:16])
}

func find(name string) (job, bool) {
	registry.Lock()
	defer registry.Unlock()
	j, ok := registry.jobs[name]
	return j, ok
}

// badInput says that a payload cannot be decoded.
type badInput struct{ err error }

func (e *badInput) Error() string { return "payload: " + e.err.Error() }
