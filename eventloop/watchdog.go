package eventloop

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"
)

// loopLabel is the profiler label of a loop's goroutine. Coroutines and
// goroutines started on the loop inherit it.
const loopLabel = "gale.loop"

// watchdog looks at each loop's turn from time to time. A loop pays one atomic
// store per turn for it.
//
// Safe for concurrent use.
type watchdog struct {
	loops   []*Loop
	limit   time.Duration
	log     *slog.Logger
	blocked atomic.Uint64
	maxLag  atomic.Int64
	stop    chan struct{}
	done    chan struct{}
}

// startWatchdog starts a watchdog; one with no limit does nothing.
func startWatchdog(loops []*Loop, limit time.Duration, log *slog.Logger) *watchdog {
	w := &watchdog{loops: loops, limit: limit, log: log, stop: make(chan struct{}), done: make(chan struct{})}
	if limit == 0 {
		close(w.done)
		return w
	}
	go w.run() // halt ends it, and waits for done
	return w
}

func (w *watchdog) halt() {
	close(w.stop)
	<-w.done
}

func (w *watchdog) run() {
	defer close(w.done)
	ticker := time.NewTicker(max(w.limit/4, time.Millisecond))
	defer ticker.Stop()
	reported := make([]int64, len(w.loops)) // the turn that was logged last, per loop
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		for i, l := range w.loops {
			w.look(l, &reported[i])
		}
	}
}

// look checks one loop.
func (w *watchdog) look(l *Loop, reported *int64) {
	began := l.began.Load()
	if began == 0 {
		return // waiting for events
	}
	lag := l.kernel.Now().Sub(l.base) - time.Duration(began)
	w.maxLag.Store(max(w.maxLag.Load(), int64(lag)))
	if lag < w.limit || began == *reported {
		return
	}
	*reported = began
	w.blocked.Add(1)
	w.log.Warn("event loop is blocked", "loop", l.index, "for", lag, "stack", loopStack(l.index))
}

// loopStack is where a loop is just now. It is taken from the goroutine
// profile, which does not stop the world for long and adds up goroutines that
// stand at the same place, so that it stays small with many of them.
func loopStack(index int) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return err.Error()
	}
	return pickStack(profile.String(), fmt.Sprintf("%q:%q", loopLabel, fmt.Sprint(index)))
}

// pickStack returns the stack with this label that belongs to a loop, or to a
// coroutine that the loop has switched to, from a goroutine profile in its text
// form: paragraphs of "count @ addresses", "# labels: ..." and one line per
// frame, the innermost first.
func pickStack(profile, label string) string {
	var loop string
	for _, record := range strings.Split(profile, "\n\n") {
		if !strings.Contains(record, label) {
			continue
		}
		_, frames, _ := strings.Cut(record, label)
		_, frames, _ = strings.Cut(frames, "\n")
		resting := strings.Contains(strings.SplitN(frames, "\n", 2)[0], "coroswitch")
		switch own := strings.Contains(frames, "(*Group).serve"); {
		case own && !resting:
			return frames
		case own:
			loop = frames
		case !resting && strings.Contains(frames, "runtime.corostart"):
			return frames
		}
	}
	return loop
}
