package main

import "slices"

// spread is the middle of several measurements, and their ends.
type spread struct{ median, min, max float64 }

// spreadOf returns the spread of at least one value.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{
		median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		min:    sorted[0],
		max:    sorted[n-1],
	}
}

// ratiosTo divides what was measured by what the reference had in the same
// round: the machine is as busy with other things for the one as for the other.
// It returns nil if a round's reference is zero.
func ratiosTo(reference, values []float64) []float64 {
	ratios := make([]float64, len(values))
	for i, v := range values {
		if reference[i] == 0 {
			return nil
		}
		ratios[i] = v / reference[i]
	}
	return ratios
}
