package goroutine

import (
	"iter"
	"sync"
	"testing"
)

func TestCurrentIsStable(t *testing.T) {
	id := Current()
	var grow func(int) ID
	grow = func(n int) ID { // moves the stack
		var pad [1024]byte
		if n == 0 {
			return Current()
		}
		pad[0] = byte(n)
		return grow(n-1) + ID(pad[1])
	}
	if id == 0 || grow(1000) != id {
		t.Fatal("the ID changed as the stack grew")
	}
}

func TestCurrentDiffers(t *testing.T) {
	const n = 100
	ids := make([]ID, n)
	var all, done sync.WaitGroup
	all.Add(n)
	for i := range n {
		done.Go(func() {
			ids[i] = Current()
			all.Done()
			all.Wait() // all live at the same time
		})
	}
	done.Wait()
	seen := map[ID]bool{Current(): true}
	for _, id := range ids {
		if seen[id] {
			t.Fatal("two goroutines have one ID")
		}
		seen[id] = true
	}
}

func TestCurrentOfCoroutine(t *testing.T) {
	next, stop := iter.Pull(func(yield func(ID) bool) {
		for yield(Current()) {
		}
	})
	defer stop()
	first, _ := next()
	second, _ := next()
	if first != second || first == Current() {
		t.Fatal("a coroutine has one ID of its own")
	}
}

func BenchmarkCurrent(b *testing.B) {
	for b.Loop() {
		Current()
	}
}
