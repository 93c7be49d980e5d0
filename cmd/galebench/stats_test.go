package main

import (
	"slices"
	"testing"
)

func TestSpreadOf(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{7}, spread{7, 7, 7}},
		{[]float64{3, 1, 2}, spread{2, 1, 3}},
		{[]float64{4, 1, 3, 2}, spread{2.5, 1, 4}},
		{[]float64{5, 5, 1, 9, -2}, spread{5, -2, 9}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("%v became %v", before, c.values)
		}
	}
}

func TestRatiosTo(t *testing.T) {
	if got := ratiosTo([]float64{2, 4, 5}, []float64{1, 8, 5}); !slices.Equal(got, []float64{0.5, 2, 1}) {
		t.Errorf("got %v", got)
	}
	if got := ratiosTo([]float64{2, 0}, []float64{1, 1}); got != nil {
		t.Errorf("to zero: %v", got)
	}
}
