package eventloop

import (
	"log/slog"
	"testing"
	"time"
)

// The watchdog speaks up after 100 ms, and not before.
func TestDefaultBlockedAfter(t *testing.T) {
	held := make(chan time.Duration, 1)
	said := make(saying, 10)
	s := serve(t, Config{Loops: 1, Logger: slog.New(slog.NewTextHandler(said, nil)), Open: func(c Conn) Protocol {
		return &hooks{data: func([]byte) {
			began := time.Now()
			select {
			case <-said:
			case <-time.After(patience):
			}
			held <- time.Since(began)
			c.Write([]byte("y"))
		}}
	}})
	c := s.dial()
	write(t, c, "x")
	if d := <-held; d < 100*time.Millisecond || d >= patience {
		t.Errorf("reported after %v", d)
	}
	readN(t, c, 1)
}

// saying passes on that the log was written to.
type saying chan struct{}

func (s saying) Write(p []byte) (int, error) {
	select {
	case s <- struct{}{}:
	default:
	}
	return len(p), nil
}
