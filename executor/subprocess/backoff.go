package subprocess

import "time"

// Pause is how long to wait before the next start after a number of failures without
// a success between: none, then least, doubling up to most.
func Pause(failures int, least, most time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	pause := min(least, most)
	for range min(failures-1, 62) { // more double nothing
		pause = min(2*pause, most)
		if pause == most {
			break
		}
	}
	return pause
}
