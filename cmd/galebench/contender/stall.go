package contender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/executor/process"
	"github.com/gale-server/gale/handlers/images"
)

// The contenders of the stall workload are one server, gale in event form, in a
// process that makes pictures smaller all the time: not at all, on goroutines,
// in an executor's cpu class, or in worker processes. In two more the class is asked
// for ten times as many as it can make, and the cores are busy with nothing.

// jobsAtOnce is how many pictures are under way: one for each processor.
var jobsAtOnce = runtime.NumCPU()

var jobsDone atomic.Int64

// JobsDone returns how many pictures this process has made smaller.
func JobsDone() int64 { return jobsDone.Load() }

// A picture of 1.5 megapixels takes some 50 ms.
const pictureWidth, pictureHeight = 1500, 1000

var smaller = images.Request{Width: 400, Height: 400}

func startIdle(cfg Config) (net.Addr, error) {
	return startGale(cfg, asgi.HandlerFunc(handle))
}

// startPlainGoroutines shows the disease: work beside the loops.
func startPlainGoroutines(cfg Config) (net.Addr, error) {
	return startBusy(cfg, func(picture []byte) error {
		for range jobsAtOnce {
			go func() { // ends with the process
				for {
					count(shrink(context.Background(), picture))
				}
			}()
		}
		return nil
	})
}

func startCPUClass(cfg Config) (net.Addr, error) {
	return startBusy(cfg, func(picture []byte) error {
		return keepBusy(executor.ClassConfig{Name: "pictures", CPU: true, Workers: jobsAtOnce},
			func(ctx context.Context) ([]byte, error) { return shrink(ctx, picture) })
	})
}

// startOverload submits ten times as many pictures as the class can make. Most are
// refused or given up.
func startOverload(cfg Config) (net.Addr, error) {
	const load = 10
	return startBusy(cfg, func(picture []byte) error {
		began := time.Now()
		count(shrink(context.Background(), picture))
		every := time.Since(began) / time.Duration(jobsAtOnce*load)
		c, err := newClass(executor.ClassConfig{Name: "pictures", CPU: true, Workers: jobsAtOnce, ClientJobs: -1})
		if err != nil {
			return err
		}
		go func() { // ends with the process
			for range time.Tick(every) {
				_, err := c.Submit(context.Background(), executor.Job{Run: func(ctx context.Context) (any, error) {
					data, err := shrink(ctx, picture)
					count(data, err)
					return data, err
				}})
				if saturated := (*executor.SaturatedError)(nil); err != nil && !errors.As(err, &saturated) {
					fail(err)
				}
			}
		}()
		return nil
	})
}

func startProcessClass(cfg Config) (net.Addr, error) {
	return startBusy(cfg, func(picture []byte) error {
		pool, err := process.New(process.Config{Workers: jobsAtOnce}) // closed with the process
		if err != nil {
			return err
		}
		return keepBusy(executor.ClassConfig{Name: "pictures", Workers: jobsAtOnce},
			func(ctx context.Context) ([]byte, error) {
				return process.Call[[]byte, []byte](ctx, pool, shrinkJob, picture)
			})
	})
}

// startBusyCores shows what the machine itself does to a server whose cores are
// busy: worker processes that touch hardly any memory and make no system call.
func startBusyCores(cfg Config) (net.Addr, error) {
	pool, err := process.New(process.Config{Workers: jobsAtOnce}) // closed with the process
	if err != nil {
		return nil, err
	}
	for range jobsAtOnce {
		go func() { _, _ = process.Call[struct{}, struct{}](context.Background(), pool, spinJob, struct{}{}) }() // ends with the process
	}
	return startIdle(cfg)
}

const (
	shrinkJob = "shrink"
	spinJob   = "spin"
)

func init() {
	process.Register(shrinkJob, shrink)
	process.Register(spinJob, spin)
}

func spin(ctx context.Context, _ struct{}) (struct{}, error) {
	for ctx.Err() == nil { // no system call
	}
	return struct{}{}, ctx.Err()
}

func shrink(ctx context.Context, picture []byte) ([]byte, error) {
	r, err := images.Transform(ctx, picture, smaller, images.Limits{}, nil)
	return r.Data, err
}

// startBusy starts a server and then the work.
func startBusy(cfg Config, work func(picture []byte) error) (net.Addr, error) {
	picture, err := newPicture()
	if err != nil {
		return nil, err
	}
	addr, err := startIdle(cfg)
	if err != nil {
		return nil, err
	}
	return addr, work(picture)
}

// keepBusy has jobs wait in a class at all times: each that ends submits the
// next one.
func keepBusy(class executor.ClassConfig, job func(context.Context) ([]byte, error)) error {
	c, err := newClass(class)
	if err != nil {
		return err
	}
	for range 2 * jobsAtOnce {
		go func() { // ends with the process
			for {
				count(executor.Run(context.Background(), c, job))
			}
		}()
	}
	return nil
}

// newClass makes an executor with one class, which ends with the process.
func newClass(class executor.ClassConfig) (*executor.Class, error) {
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{class}})
	if err != nil {
		return nil, err
	}
	return e.Class(class.Name), nil
}

// count counts a picture. One that fails would make the figures a lie.
func count(_ []byte, err error) {
	if err != nil {
		fail(err)
	}
	jobsDone.Add(1)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "picture:", err)
	os.Exit(1)
}

// newPicture makes a JPEG with some detail everywhere, as a photograph has.
func newPicture() ([]byte, error) {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight {
		for x := range pictureWidth {
			noise := uint8(random.IntN(32))
			m.SetRGBA(x, y, color.RGBA{uint8(x/8) + noise, uint8(y/5) + noise, uint8((x+y)/16) + noise, 255})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, nil)
	return b.Bytes(), err
}
