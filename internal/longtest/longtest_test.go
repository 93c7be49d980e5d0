package longtest

import "testing"

func TestParse(t *testing.T) {
	for s, want := range map[string]int{"": 0, "long": 1, "1x": 1, "20x": 20, "0x": -1, "-1x": -1, "20": -1, "x": -1, "short": -1, "Long": -1} {
		got, err := parse(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	defer func(before func() int) { times = before }(times)
	for n, want := range map[int]int{0: 3, 1: 50, 20: 1000} {
		if times = func() int { return n }; Count(3, 50) != want || On() != (n > 0) {
			t.Errorf("%d: %d, want %d", n, Count(3, 50), want)
		}
	}
}
