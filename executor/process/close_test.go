package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
)

// Close waits for the jobs that run and refuses those that wait.
func TestClose(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 1})
	b := newBystander(t, pool, m)
	waiting := async(func() ([]byte, error) { return pool.Do(limited(t), "echo", nil) })
	eventually(t, "it waits", func() bool { return pool.Stats().Waiting == 1 })
	closed := async(func() (bool, error) { return true, pool.Close(limited(t)) })
	if err := (<-waiting).err; !errors.Is(err, ErrClosed) {
		t.Errorf("the job that waits: %v", err)
	}
	if _, err := pool.Do(limited(t), "echo", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a job that comes later: %v", err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pool.Close(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Close that cannot wait: %v", err)
	}
	b.finish()
	if err := (<-closed).err; err != nil {
		t.Error(err)
	}
	if s := pool.Stats(); s.Workers != 0 || s.Idle != 0 {
		t.Errorf("%+v", s)
	}
	if left := children(); left != "" {
		t.Errorf("processes: %s", left)
	}
}

// A Close whose context is over kills what runs.
func TestCloseByForce(t *testing.T) {
	m := newMeeting(t)
	pool := newPool(t, Config{Workers: 2})
	r := async(func() (int, error) { return Call[string, int](limited(t), pool, "wait", m.path) })
	m.arrival()
	ctx, cancel := context.WithCancel(limited(t))
	closed := async(func() (bool, error) { return true, pool.Close(ctx) })
	eventually(t, "it closes", func() bool { return isClosed(pool.closing) })
	cancel()
	if err := (<-closed).err; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := (<-r).err; !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the job: %v", err)
	}
}

// A pool that closes while a worker starts leaves none.
func TestCloseAtStart(t *testing.T) {
	pool := newPool(t, misbehaving("never say hello"))
	r := async(func() ([]byte, error) { return pool.Do(limited(t), "echo", nil) })
	eventually(t, "it starts", func() bool { return pool.Stats().Started == 1 })
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	if err := pool.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := (<-r).err; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// A worker that does not end with its stdin is killed.
func TestCloseLingerer(t *testing.T) {
	config := misbehaving("fall silent")
	config.KillAfter = 20 * time.Millisecond
	config.Workers = 1
	pool := newPool(t, config)
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	if _, err := pool.Do(ctx, "echo", nil); err == nil {
		t.Error("no error")
	}
	m := newMeeting(t)
	newBystander(t, pool, m).finish() // it is ready
	if err := syscall.Kill(only(pool).pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(limited(t)); err != nil {
		t.Error(err)
	}
}

// A process that is killed leaves no worker, busy ones neither.
func TestParentDies(t *testing.T) {
	needsProc(t)
	asgitest.CheckLeaks(t)
	m := newMeeting(t)
	exe := must[string](t)(os.Executable())
	host := exec.Command(exe)
	host.Env = append(os.Environ(), "GALE_TEST_WORKER=be the host of a pool", "GALE_TEST_MEETING="+m.path)
	host.Stderr = os.Stderr
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	conns := []net.Conn{m.arrival(), m.arrival()}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	for i, conn := range conns { // a worker that is gone has closed its own
		_ = conn.SetReadDeadline(time.Now().Add(testLimit))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("worker %d lives: %v", i, err)
		}
		_ = conn.Close()
	}
}

func TestBackoff(t *testing.T) {
	now := time.Unix(1000, 0)
	b := backoff{min: 100 * time.Millisecond, max: time.Second}
	pause := func() time.Duration { d, _ := b.pause(now); return d }
	var got []time.Duration
	for range 7 {
		b.failed(now, nil)
		got = append(got, pause())
	}
	if fmt.Sprint(got) != "[0s 100ms 200ms 400ms 800ms 1s 1s]" {
		t.Errorf("pauses: %v", got)
	}
	for range 200 {
		b.failed(now, nil)
	}
	if pause() != time.Second {
		t.Errorf("after many: %v", pause())
	}
	b.succeeded()
	if pause() != 0 {
		t.Error("a pause after success")
	}
	b.failed(now, &StartError{Err: ErrClosed})
	d, err := b.pause(now.Add(40 * time.Millisecond))
	var start *StartError
	if d != 60*time.Millisecond || !errors.As(err, &start) || start.RetryAfter != d {
		t.Errorf("%v, %v", d, err)
	}
	if d, err := b.pause(now.Add(100 * time.Millisecond)); d != 0 || err != nil {
		t.Errorf("after the pause: %v, %v", d, err)
	}
}

func TestQuarantineBounds(t *testing.T) {
	now := time.Unix(1000, 0)
	q := newQuarantine(2, time.Minute)
	q.crashed(now, "a", nil)
	if q.check(now, "a", nil) != nil || q.size(now) != 0 {
		t.Error("after one")
	}
	q.succeeded("a", nil)
	q.crashed(now, "a", nil)
	if q.check(now, "a", nil) != nil {
		t.Error("after a success between")
	}
	q.crashed(now, "a", nil)
	if q.check(now, "a", nil) == nil || q.check(now, "a", []byte("b")) != nil || q.check(now, "ab", nil) != nil || q.size(now) != 1 {
		t.Error("after two")
	}
	if q.check(now.Add(time.Minute), "a", nil) != nil || !q.empty() {
		t.Error("after its time")
	}
	for i := range 2 * maxSuspects {
		q.crashed(now.Add(time.Duration(i)), "a", []byte(fmt.Sprint(i)))
	}
	if len(q.suspects) != maxSuspects {
		t.Errorf("%d are remembered", len(q.suspects))
	}
	if _, ok := q.suspects[q.key("a", []byte(fmt.Sprint(2*maxSuspects-1)))]; !ok {
		t.Error("the last one is forgotten")
	}
}

func TestAllowed(t *testing.T) {
	for _, v := range []struct {
		timeout, interval time.Duration
		want              int
	}{{20 * time.Second, 2 * time.Second, 10}, {1, 2 * time.Second, 1}, {3 * time.Second, 2 * time.Second, 2}} {
		if got := allowed(v.timeout, v.interval); got != v.want {
			t.Errorf("%v by %v: %d", v.timeout, v.interval, got)
		}
	}
}
