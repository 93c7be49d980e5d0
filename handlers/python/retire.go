package python

import (
	"math/rand/v2"
	"time"
)

// share is what one worker may have before it is replaced.
type share struct {
	requests int64
	resident int64
	age      time.Duration
}

// share draws that of a new worker.
func (c *Config) share() share {
	return share{
		requests: jitter(c.MaxRequests, c.JitterPercent),
		resident: jitter(c.MaxResidentBytes, c.JitterPercent),
		age:      time.Duration(jitter(int64(c.MaxAge), c.JitterPercent)),
	}
}

// jitter is n less up to so many percent; it is at least 1.
func jitter(n int64, percent int) int64 {
	if n == noLimit {
		return n
	}
	return max(n-rand.Int64N(n/100*int64(percent)+n%100*int64(percent)/100+1), 1)
}

// expire asks for a successor, once. The worker goes on until it is there.
func (w *worker) expire(why string) {
	if w.expired.CompareAndSwap(false, true) {
		select {
		case w.slot.expiries <- expiry{w, why}:
		default: // of a worker that has been replaced
			w.expired.Store(false)
		}
	}
}

// retire ends a worker that has a successor and takes no more streams: it ends those
// that it has, and stops.
func (w *worker) retire() {
	config := w.pool.config
	w.control.drain(config.RetireTimeout)
	timer := time.NewTimer(config.RetireTimeout)
	defer timer.Stop()
	for w.streams.Load() != retiringFlag {
		select {
		case <-w.idle:
			continue
		case <-timer.C:
			w.log.Warn("python: a worker that was replaced still has streams: they end", "streams", w.streams.Load()/stream)
		case <-w.gone:
		case <-w.pool.quit:
		}
		break
	}
	w.stop()
}

// stopping reports whether the worker was told to end.
func (w *worker) stopping() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

func (w *worker) takeNoMore() {
	if w.streams.Or(retiringFlag) == 0 {
		w.tellIdle()
	}
}

// stop tells the worker to end, and kills it if it has not within Config.StopTimeout.
// When stop returns nothing is left of it.
func (w *worker) stop() {
	w.takeNoMore()
	timeout := w.pool.config.StopTimeout
	w.mu.Lock()
	first := !w.stopped
	w.stopped = true
	w.mu.Unlock()
	if first {
		w.control.stop(timeout / 3 * 2)
	}
	timer := time.AfterFunc(timeout, func() {
		w.log.Warn("python: a worker does not end, and is killed")
		w.process.Kill(errSlowStop)
	})
	defer timer.Stop()
	<-w.gone
}
