package eventloop

import (
	"sync"
	"testing"
)

func TestMailboxFIFO(t *testing.T) {
	const posters, each = 4, 25_000
	s := serve(t, Config{Open: echo, Loops: 1})
	last := make([]int, posters)
	var wrong, ran int
	var posting sync.WaitGroup
	for n := range posters {
		posting.Add(1)
		go func() {
			defer posting.Done()
			for i := range each {
				if !s.Loop(0).Post(func() {
					if last[n] != i {
						wrong++
					}
					last[n] = i + 1
					ran++
				}) {
					t.Error("Post refused")
				}
			}
		}()
	}
	posting.Wait()
	done := make(chan int)
	s.Loop(0).Post(func() { done <- ran })
	if got := receive(t, done); got != posters*each || wrong != 0 {
		t.Fatalf("%d of %d ran, %d out of order", got, posters*each, wrong)
	}
}

func TestMailboxBound(t *testing.T) {
	wakes := 0
	m := mailbox{limit: 3, wake: func() { wakes++ }}
	for n, want := range []bool{true, true, true, false} {
		if got := m.post(task{}); got != want {
			t.Errorf("post %d: %v", n, got)
		}
	}
	if !m.force(task{}) {
		t.Error("force was refused by a full mailbox")
	}
	if wakes != 1 {
		t.Errorf("%d wakes for one batch", wakes)
	}
	for range 4 {
		if _, ok := m.next(); !ok {
			t.Fatal("a task is missing")
		}
	}
	if _, ok := m.next(); ok || m.waiting() {
		t.Error("a task too many")
	}
	m.post(task{})
	if wakes != 2 {
		t.Error("no wake after the mailbox was emptied")
	}
	m.close()
	if m.post(task{}) || m.force(task{}) {
		t.Error("a closed mailbox took a task")
	}
	if _, ok := m.next(); !ok {
		t.Error("closing lost a task")
	}
}

func TestPostAfterShutdown(t *testing.T) {
	s := serve(t, Config{Open: echo, Loops: 1})
	ran := make(chan bool, 1)
	if !s.Loop(0).Post(func() { ran <- true }) {
		t.Fatal("Post refused by a running loop")
	}
	wantErr(t, s.Shutdown(t.Context()), nil)
	receive(t, ran)
	if s.Loop(0).Post(func() {}) {
		t.Fatal("Post accepted by a stopped loop")
	}
}

// TestStopRunsWhatWasPosted stops a loop in the turn in which something is
// posted to it.
func TestStopRunsWhatWasPosted(t *testing.T) {
	s := serve(t, Config{Open: echo, Loops: 1})
	l := s.Loop(0)
	ran := make(chan bool, 1)
	l.Post(func() {
		l.AfterFunc(0, func() {
			l.stopping = true
			l.Post(func() { ran <- true })
		})
	})
	receive(t, ran)
}

// TestSelfPosting posts without end from the loop itself; an echo must get
// through all the same.
func TestSelfPosting(t *testing.T) {
	s := serve(t, Config{Open: echo, Loops: 1})
	stop := false
	var again func()
	again = func() {
		if !stop {
			s.Loop(0).Post(again)
		}
	}
	for range 100 {
		s.Loop(0).Post(again)
	}
	c := s.dial()
	for range 20 {
		write(t, c, "x")
		readN(t, c, 1)
	}
	s.Loop(0).Post(func() { stop = true })
}

func BenchmarkMailboxPost(b *testing.B) {
	s := serve(b, Config{Open: echo, Loops: 1, MailboxTasks: -1})
	l := s.Loop(0)
	ran := 0
	fn := func() { ran++ }
	b.ReportAllocs()
	for b.Loop() {
		l.Post(fn)
	}
	done := make(chan bool)
	l.Post(func() { close(done) })
	<-done
}
