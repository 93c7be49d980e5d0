package longpoll

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The buckets do what a bucket of tokens for each session does, also when those
// that are full are forgotten.
func TestPaceModel(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		rate, burst := float64(1+random.IntN(20)), 1+random.IntN(4)
		p := newPace(rate, burst, 100)
		now := time.Unix(1_800_000_000, 0)
		tokens := map[session]float64{}
		at := map[session]time.Time{}
		for i := range 3000 {
			now = now.Add(time.Duration(random.ExpFloat64() * float64(time.Second) / rate / 4))
			key := session{user: "u", sid: fmt.Sprint(random.IntN(4))}
			if last, known := at[key]; known {
				tokens[key] = min(float64(burst), tokens[key]+now.Sub(last).Seconds()*rate)
			} else {
				tokens[key] = float64(burst)
			}
			at[key] = now
			wait := p.take(key, now)
			short := (1 - tokens[key]) / rate // seconds
			const tiny = 1e-6
			switch {
			case wait == 0 && short > tiny:
				t.Fatalf("seed %d, %d: it took a token of %v", seed, i, tokens[key])
			case wait > 0 && short < -tiny:
				t.Fatalf("seed %d, %d: it did not take a token of %v", seed, i, tokens[key])
			case wait > 0 && (wait.Seconds() < short-tiny || wait.Seconds() > short+1/rate+tiny):
				t.Fatalf("seed %d, %d: wait %v, want %v to %v s", seed, i, wait, short, short+1/rate)
			}
			if wait == 0 {
				tokens[key]--
			}
		}
	}
}

func TestPaceForgets(t *testing.T) {
	p := newPace(10, 2, 100_000)
	now := time.Unix(1_800_000_000, 0)
	for i := range 10_000 {
		p.take(session{sid: fmt.Sprint(i)}, now)
		now = now.Add(time.Millisecond)
	}
	if n := p.table.Len(); n > 1000 { // of at most two fifths of a second
		t.Errorf("it remembers %d", n)
	}
	if wait := p.take(session{}, now); wait != 0 || p.table.Len() > 1000 {
		t.Errorf("who has no name waits %v", wait)
	}
	unbounded := newPace(-1, 1, 100)
	for range 100 {
		if wait := unbounded.take(session{sid: "s"}, now); wait != 0 {
			t.Errorf("without a bound: %v", wait)
		}
	}
}
