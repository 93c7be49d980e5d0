package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gale-server/gale/executor/process/wire"
)

// workerEnv is set, to 1, in the environment of a worker.
const workerEnv = "GALE_WORKER"

// Main makes this process a worker, and does not return, if a [Pool] started it
// as one; else it does nothing. It belongs at the start of main, and of TestMain
// where tests have pools: what comes before it runs in every worker too.
//
// In a worker the real stdin and stdout are out of reach: os.Stdin is empty, and
// what is printed goes to stderr. Signals that ask a process to end are ignored,
// since they go to the pool's process too, which decides what becomes of the
// jobs.
func Main() {
	if os.Getenv(workerEnv) == "" {
		return
	}
	_ = os.Unsetenv(workerEnv) // not for what jobs start
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// worker is this process. Its machine is guarded by mu; writing holds the lock
// of the same name, and is taken before mu.
type worker struct {
	in, out       *os.File // what were stdin and stdout
	input, output *os.File // shared memory, or nil
	inline        int64    // what fits into a frame

	writing sync.Mutex
	mu      sync.Mutex
	machine *wire.Machine
	buf     []byte // of what is being written
	cancel  context.CancelCauseFunc
}

func work() error {
	closeInherited()
	w := &worker{machine: wire.NewWorker()}
	if err := w.detach(); err != nil {
		return fmt.Errorf("process: worker: %w", err)
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return w.read()
}

// closeInherited closes what came from the pool's process without being meant
// for a worker: descriptors that this process did not mark as close-on-exec. What
// Go opens is marked, so anything else above those of the protocol was opened
// before, carelessly, by somebody.
func closeInherited() {
	const last = 4 // of the protocol
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		entries, _ = os.ReadDir("/dev/fd")
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= last {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

// detach takes stdin and stdout away, so that nothing but the protocol uses them.
func (w *worker) detach() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for _, f := range []struct {
		fd, instead int
		file        **os.File
	}{{0, int(null.Fd()), &w.in}, {1, 2, &w.out}} {
		fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return err
		}
		_ = unix.SetNonblock(fd, true) // so that it is read by the runtime's poller, not by a thread
		*f.file = os.NewFile(uintptr(fd), "host")
		if err := duplicate(f.instead, f.fd); err != nil {
			return err
		}
	}
	return nil
}

// read acts on what the host says until it says no more.
func (w *worker) read() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.in.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			taken, err := w.take(p)
			if err != nil {
				return fmt.Errorf("process: worker: %w", err)
			}
			p = p[taken:]
		}
		switch {
		case err == io.EOF:
			w.bereaved()
			return nil
		case err != nil:
			return fmt.Errorf("process: worker: %w", err)
		}
	}
}

// bereaved ends what the job has started, if the host went in the middle of one.
func (w *worker) bereaved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pid := os.Getpid(); w.machine.Busy() && unix.Getpgrp() == pid {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
}

func (w *worker) take(p []byte) (int, error) {
	w.mu.Lock()
	event, err := w.machine.Next(p)
	w.mu.Unlock()
	if err != nil {
		return 0, err
	}
	switch event.Type {
	case wire.Hello:
		err = w.hello(event.Host)
	case wire.Job:
		err = w.start(event)
	case wire.Cancel:
		w.cancel(context.Canceled)
	case wire.Ping:
		err = w.write(w.machine.AppendPong, nil)
	}
	return event.N, err
}

// write appends a frame and writes it, with the payload behind it.
func (w *worker) write(appendFrame func(dst []byte) ([]byte, error), payload []byte) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	frame, err := appendFrame(w.buf[:0])
	w.buf = frame
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return writeFrame(w.out, frame, payload)
}

// writeFrame writes a short payload together with the frame, a long one after it.
func writeFrame(to io.Writer, frame, payload []byte) error {
	const short = 4 << 10
	if len(payload) <= short {
		frame = append(frame, payload...)
		payload = nil
	}
	_, err := to.Write(frame)
	if err == nil && len(payload) > 0 {
		_, err = to.Write(payload)
	}
	return err
}

func (w *worker) hello(host wire.HostHello) error {
	w.inline = host.InlineBytes
	if m := host.Memory; m != nil {
		w.input, w.output = os.NewFile(uintptr(m.Input), "input"), os.NewFile(uintptr(m.Output), "output")
		unix.CloseOnExec(m.Input)
		unix.CloseOnExec(m.Output)
	}
	if host.MemoryLimitBytes > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(host.MemoryLimitBytes)
	}
	registry.Lock()
	setups := registry.setup
	registry.Unlock()
	for _, setup := range setups {
		if err := protect(setup); err != nil {
			f := failure(context.Background(), err)
			return errors.Join(err, w.write(func(dst []byte) ([]byte, error) { return w.machine.AppendError(dst, f) }, nil))
		}
	}
	names, digest := jobs()
	return w.write(func(dst []byte) ([]byte, error) {
		return w.machine.AppendWorkerHello(dst, wire.WorkerHello{
			Jobs: names, Registry: digest, Memory: w.input != nil,
			Program: fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		})
	}, nil)
}

// start runs a job on a goroutine, which ends with the job; the process waits
// for it by being there.
func (w *worker) start(event wire.Event) error {
	payload := bytes.Clone(event.Data)
	if event.Memory {
		payload = make([]byte, event.Size)
		if _, err := w.input.ReadAt(payload, 0); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), progressKey{}, w.report))
	w.cancel = cancel
	go func() {
		defer cancel(nil)
		if err := w.finish(ctx, event.Name, payload); err != nil {
			fmt.Fprintln(os.Stderr, "process: worker:", err)
			os.Exit(1)
		}
	}()
	return nil
}

// report is behind Progress.
func (w *worker) report(p []byte) error {
	return w.write(func(dst []byte) ([]byte, error) { return w.machine.AppendProgress(dst, p) }, nil)
}

// finish runs a job and says what came out.
func (w *worker) finish(ctx context.Context, name string, payload []byte) error {
	var result []byte
	err := protect(func() (err error) {
		j, ok := find(name)
		if !ok {
			return errUnregistered
		}
		result, err = j.run(ctx, payload)
		return err
	})
	if err == nil {
		if err = w.result(result); err == nil || !errors.Is(err, wire.ErrSize) {
			return err
		}
		err = fmt.Errorf("a result of %d bytes is longer than Config.MaxPayloadBytes", len(result))
	}
	f := failure(ctx, err)
	return w.write(func(dst []byte) ([]byte, error) { return w.machine.AppendError(dst, f) }, nil)
}

func (w *worker) result(p []byte) error {
	size := int64(len(p))
	if w.output != nil && size > w.inline {
		if _, err := w.output.WriteAt(p, 0); err == nil {
			return w.write(func(dst []byte) ([]byte, error) { return w.machine.AppendResult(dst, size, true) }, nil)
		} // else it is too long, or memory is short: what comes now says so
	}
	return w.write(func(dst []byte) ([]byte, error) { return w.machine.AppendResult(dst, size, false) }, p)
}

var errUnregistered = errors.New("the worker has no such job")

// panicError is a panic, or a Goexit, of a job.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

// protect calls fn and makes an error of a panic and of runtime.Goexit, which
// needs a goroutine that it may end. It waits for that goroutine.
func protect(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		err := error(&panicError{value: "the job called runtime.Goexit"})
		defer func() {
			if v := recover(); v != nil {
				err = &panicError{v, debug.Stack()}
			}
			result <- err
		}()
		err = fn()
	}()
	return <-result
}

// failure is an error as the protocol has it.
func failure(ctx context.Context, err error) wire.Failure {
	f := wire.Failure{Kind: wire.Failed, Message: err.Error()}
	var panicked *panicError
	var input *badInput
	switch {
	case errors.As(err, &panicked):
		f.Kind, f.Stack = wire.Panicked, string(panicked.stack)
	case errors.As(err, &input):
		f.Kind = wire.BadInput
	case errors.Is(err, errUnregistered):
		f.Kind = wire.Unknown
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		f.Kind = wire.Canceled
	}
	return f
}
