package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/cmd/internal/hostile"
	"github.com/gale-server/gale/cmd/internal/victim"
	"github.com/gale-server/gale/internal/longtest"
)

// hostileTimes is how often an attack does what it does.
func hostileTimes() int { return longtest.Count(1, 1) }

// What a server may need beyond what it had before.
const (
	// mostPeak is for 40 attackers at a time, of whose output 1 MiB may wait each,
	// and as much garbage.
	mostPeak = 96 << 20
	// mostLeft is for the free lists of two loops and the tables that only grow.
	mostLeft = 24 << 20
)

// briefly names the attacks that wait for a timeout of the server.
var briefly = []string{"slow-heads", "slow-bodies", "deaf-pipeline", "deaf-echo"}

// briefTimeout is the timeouts of their server. Honest clients keep to it, on a slow
// machine too.
func briefTimeout() time.Duration {
	if longtest.On() {
		return 5 * time.Second // the other attacks take longer in any case
	}
	return 3 * time.Second
}

// connsOf is how many connections an attack has at a time in each form, where it
// is not 10, in the whole run: a kernel's buffers take many megabytes of what a deaf
// client is told, and some attacks are large with few.
var connsOf = map[string]int{"deaf-pipeline": 2, "deaf-echo": 2, "pipeline": 3, "slow-reader": 5, "half-closes": 5}

// kindsOf is how many kinds of client an attack has, where it is more than one.
var kindsOf = map[string]int{"slow-heads": 2, "slow-bodies": 2, "single-bytes": 2, "deaf-echo": 2, "departures": 2, "panics": 3}

// conns is connsOf, and in the short run one of every kind of client.
func conns(attack string) int {
	if !longtest.On() {
		return cmp.Or(kindsOf[attack], 1)
	}
	return cmp.Or(connsOf[attack], 10)
}

// formsOf are the forms in which the application offers what an attack asks for.
func formsOf(attack string) []string {
	switch attack {
	case "timers", "posts":
		return []string{"event", "serial"}
	default:
		return victim.Forms
	}
}

// TestHostile attacks servers of each engine in every way, in every form at a
// time, while honest clients talk on. Afterwards nothing may be left of it.
func TestHostile(t *testing.T) {
	asgitest.CheckLeaks(t) // by both engines, which are attacked side by side
	for _, engine := range []string{engineLoop, engineNetHTTP} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			patient := startVictim(t, setup{Engine: engine})
			brief := startVictim(t, setup{Engine: engine, Timeout: briefTimeout()})
			var waiting sync.WaitGroup // for timeouts of the one victim, while the other is attacked
			waiting.Go(func() { attackAll(t, brief, func(a hostile.Attack) bool { return slices.Contains(briefly, a.Name) }) })
			attackAll(t, patient, func(a hostile.Attack) bool { return !slices.Contains(briefly, a.Name) })
			waiting.Wait()
		})
	}
}

// attackAll makes the attacks that are wanted, one after the other.
func attackAll(t *testing.T, v *victimProcess, wanted func(hostile.Attack) bool) {
	for _, a := range hostile.Attacks {
		if !wanted(a) {
			continue
		}
		if !t.Run(a.Name, func(t *testing.T) { attack(t, v, a) }) {
			return // what follows would stumble over what is left
		}
	}
}

// TestHostileHalfClose is of a server that takes the end of a client's stream for
// its end.
func TestHostileHalfClose(t *testing.T) {
	asgitest.CheckLeaks(t)
	v := startVictim(t, setup{Engine: engineLoop, Leaves: true})
	for _, name := range []string{"half-closes", "departures"} {
		a, err := hostile.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		attack(t, v, a)
	}
}

// attack makes one attack on v, and waits until nothing is left of it: a client
// that has gone is noticed as such, since no timeout of a patient victim strikes.
func attack(t *testing.T, v *victimProcess, a hostile.Attack) {
	defer func(outer testing.TB) { v.t = outer }(v.t)
	v.t = t
	target := hostile.Target{Addr: v.addr, Strict: v.strict(), Times: hostileTimes(), Conns: conns(a.Name)}
	witnesses := hostile.NewWitnesses(target, 2, paths(victim.Forms)...)
	before := witnesses.Answers()
	var all sync.WaitGroup
	for _, path := range paths(formsOf(a.Name)) {
		at := target
		at.Path = path
		all.Go(func() {
			if err := a.Run(context.Background(), at); err != nil {
				t.Errorf("at %s: %v", path, err)
			}
		})
	}
	all.Wait()
	after := witnesses.Answers()
	if err := witnesses.Stop(); err != nil {
		t.Error(err)
	}
	st := v.calm()
	t.Logf("%d answers meanwhile; heap %d KiB before, at most %d KiB, %d KiB after", after-before, v.before.Heap>>10, st.Peak>>10, st.Heap>>10)
	if after == before {
		t.Error("no honest client had an answer meanwhile")
	}
	if st.Peak > v.before.Heap+mostPeak {
		t.Errorf("the heap rose to %d MiB", st.Peak>>20)
	}
	if st.Heap > v.before.Heap+mostLeft {
		t.Errorf("%d MiB of the heap are left", st.Heap>>20)
	}
}

func paths(forms []string) (paths []string) {
	for _, form := range forms {
		paths = append(paths, "/"+form)
	}
	return paths
}
