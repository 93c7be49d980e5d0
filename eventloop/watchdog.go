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

// pickStack returns where the loop with this label is, from a goroutine profile
// in its text form: paragraphs of "count @ addresses", "# labels: ..." and one
// line per frame, the innermost first. A goroutine that waits for a coroutine,
// or a coroutine for its turn, has iter.Pull innermost; a coroutine ends at
// runtime.corostart.
func pickStack(profile, label string) string {
	var loop, running string
	for _, record := range strings.Split(profile, "\n\n") {
		_, frames, labelled := strings.Cut(record, label)
		if !labelled {
			continue
		}
		_, frames, _ = strings.Cut(frames, "\n")
		lines := strings.Split(strings.TrimSpace(frames), "\n")
		waits := strings.Contains(lines[0], "\titer.Pull") || strings.Contains(lines[0], "\truntime.corostart")
		switch {
		case strings.Contains(frames, "(*Group).serve"):
			loop = frames
			if !waits {
				return frames
			}
		case !waits && strings.Contains(lines[len(lines)-1], "\truntime.corostart"):
			running = frames
		}
	}
	if running != "" {
		return running
	}
	return loop
}
