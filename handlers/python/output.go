package python

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gale-server/gale/executor/subprocess"
)

// maxStackLines bounds what is logged of one stack or traceback of a worker.
const maxStackLines = 200

// readOutput logs what the worker writes to stdout and stderr, line by line, until that
// ends. Until it is ready, it is kept for the error as well.
func (w *worker) readOutput() {
	rate := lineRate{most: w.pool.config.MaxOutputLines}
	tell := func(dropped int) {
		if dropped > 0 {
			w.log.Warn("python: lines of a worker were dropped: it writes too many", "lines", dropped)
		}
	}
	subprocess.Lines(w.output, func(line []byte) {
		if !w.spoke.Load() {
			_, _ = w.said.Write(line)
			_, _ = w.said.Write([]byte{'\n'})
		}
		ok, dropped := rate.take(time.Now())
		tell(dropped)
		if ok {
			w.log.Info("python: worker wrote", "line", strings.ToValidUTF8(string(line), "\ufffd"))
		}
	})
	tell(rate.dropped)
}

// lineRate bounds the lines of each second.
type lineRate struct {
	most    int
	second  time.Time
	lines   int
	dropped int
}

// take reports whether one more line may be logged, and how many were dropped in the
// seconds before it.
func (r *lineRate) take(now time.Time) (ok bool, dropped int) {
	if now.Sub(r.second) >= time.Second {
		dropped, r.dropped = r.dropped, 0
		r.second, r.lines = now, 0
	}
	if r.lines >= r.most {
		r.dropped++
		return false, dropped
	}
	r.lines++
	return true, dropped
}

// logStartError logs why an application does not start, with the traceback line by line.
func logStartError(log *slog.Logger, err error) {
	var start *StartError
	if !errors.As(err, &start) {
		log.Error("python: the application does not start", "error", err)
		return
	}
	logLines(log, start.Trace)
	log.Error("python: the application does not start: "+start.Message, "kind", start.Kind, "advice", start.Advice)
}

// logLines logs a stack or a traceback.
func logLines(log *slog.Logger, text string) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxStackLines {
			log.Error("python: traceback", "line", "[...]")
			return
		}
		log.Error("python: traceback", "line", strings.TrimRight(line, "\r\n"))
	}
}
