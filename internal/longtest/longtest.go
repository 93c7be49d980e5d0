// Package longtest says how much a test run does. Its one switch is the
// environment variable GALE_TEST:
//
//	GALE_TEST=       the short run, for every change: each kind of input, in small numbers
//	GALE_TEST=long   the whole run: every size, every form, large numbers
//	GALE_TEST=20x    the whole run, with what goes by chance or at length twenty times
//
// A test is never less strict in the short run. It only does less.
//
// Not for use outside tests.
package longtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Patience is how long a test waits for what must happen. It is no measure: it
// only ends a test that hangs, on a machine of any speed.
const Patience = time.Minute

// times is 0 in the short run. It is asked for by a test and not as the program starts,
// else go test does not know that the result depends on it, and caches one run for
// the other.
var times = sync.OnceValue(func() int { return mustParse(os.Getenv("GALE_TEST")) })

// On reports whether this is the whole run.
func On() bool { return times() > 0 }

// Count is the number of rounds, clients or messages: short in the short run,
// else long, times what GALE_TEST says.
func Count(short, long int) int {
	if !On() {
		return short
	}
	return long * times()
}

func mustParse(s string) int {
	n, err := parse(s)
	if err != nil {
		panic(err) // a run that is short by mistake would prove less than it seems to
	}
	return n
}

func parse(s string) (int, error) {
	switch s {
	case "":
		return 0, nil
	case "long":
		return 1, nil
	}
	if number, ok := strings.CutSuffix(s, "x"); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("longtest: GALE_TEST is %q, but must be empty, long, or a number like 20x", s)
}
