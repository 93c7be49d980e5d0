package contender

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/executor/process"
	"github.com/gale-server/gale/handlers/images"
)

// The contenders of the stall workload are one server, gale in event form, in a
// process that makes pictures smaller all the time: not at all, on goroutines,
// in an executor's cpu class, or in worker processes. In one more its cores are busy
// with nothing.

// jobsAtOnce is how many pictures are under way: one for each processor.
var jobsAtOnce = runtime.NumCPU()

var jobsDone atomic.Int64

// JobsDone returns how many pictures this process has made smaller.
func JobsDone() int64 { return jobsDone.Load() }

// A picture of 1.5 megapixels takes some 50 ms.
const pictureWidth, pictureHeight = 1500, 1000

var smaller = images.Request{Width: 400, Height: 400}

func startIdle(cfg Config) (net.Addr, error) {
	debug.SetGCPercent(StallGOGC)
	return startGale(cfg, asgi.HandlerFunc(handle))
}

// StallGOGC is the room that each server of the stall workload gives its garbage
// collector, as gale's own program does.
const StallGOGC = 400

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
	e, err := executor.New(executor.Config{Classes: []executor.ClassConfig{class}}) // shut down with the process
	if err != nil {
		return err
	}
	c := e.Class(class.Name)
	for range 2 * jobsAtOnce {
		go func() { // ends with the process
			for {
				count(executor.Run(context.Background(), c, job))
			}
		}()
	}
	return nil
}

// count counts a picture. One that fails would make the figures a lie.
func count(_ []byte, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
	jobsDone.Add(1)
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
