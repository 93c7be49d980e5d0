package process

import (
	"context"
	"fmt"
)

// Option changes one [Pool.Do] or [Call].
type Option func(*options)

type options struct {
	progress func([]byte) error
}

// OnProgress has fn called with what the job reports by [Progress], in order, on
// the goroutine of the call and before it returns. While fn runs no more is
// read from the worker, so a job that reports more than fn can take waits for
// it; fn must not outlast the context. A value that is not a T breaks the call.
// A []byte is fn's own.
func OnProgress[T any](fn func(T)) Option {
	return func(o *options) {
		o.progress = func(p []byte) error {
			v, err := decode[T](p)
			if err != nil {
				return fmt.Errorf("process: progress: %w", err)
			}
			fn(v)
			return nil
		}
	}
}

// Call has a worker of pool run the job name and waits for its result, as
// [Pool.Do] does. In and Out are those of [Register], or whatever a worker that
// is another program makes of them:
//
//   - A []byte travels as it is.
//   - A type with MarshalBinary (and with UnmarshalBinary on its pointer), such
//     as [Blob], travels as it says.
//   - Everything else travels as JSON.
//
// Safe for concurrent use.
func Call[In, Out any](ctx context.Context, pool *Pool, name string, in In, opts ...Option) (out Out, err error) {
	payload, err := encode(in)
	if err != nil {
		return out, fmt.Errorf("process: input of job %q: %w", name, err)
	}
	result, err := pool.Do(ctx, name, payload, opts...)
	if err != nil {
		return out, err
	}
	if out, err = decode[Out](result); err != nil {
		return out, fmt.Errorf("process: result of job %q: %w", name, err)
	}
	return out, nil
}

type progressKey struct{}

// Progress reports how far the job is, to the OnProgress of the call; v travels
// as in [Call] and may take 64 KiB. ctx is the job's, or made from it; without a
// job nothing happens. It waits while the caller is behind by more than a pipe
// and a few reports. The error says that v cannot travel.
//
// Safe for concurrent use.
func Progress[T any](ctx context.Context, v T) error {
	report, ok := ctx.Value(progressKey{}).(func([]byte) error)
	if !ok {
		return nil
	}
	p, err := encode(v)
	if err != nil {
		return fmt.Errorf("process: progress: %w", err)
	}
	return report(p)
}
