package static_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/static"
)

// tinyRanges is a Range field of so many ranges of one byte each.
func tinyRanges(n int) string {
	specs := make([]string, n)
	for i := range specs {
		specs[i] = fmt.Sprintf("%d-%d", 2*i, 2*i)
	}
	return "range: bytes=" + strings.Join(specs, ",")
}

// Many tiny ranges cost more than the file: then it is sent whole.
func TestManyRanges(t *testing.T) {
	bothTrees(t, site, static.Config{}, func(t *testing.T, h *static.Handler) {
		for n, status := range map[int]int{1: 206, 32: 206, 33: 200, 1000: 200} {
			r := get(t, h, "/large.bin", tinyRanges(n))
			if r.Status != status || !r.Complete || status == 200 && string(r.Body) != site["large.bin"] || len(r.Body) > 512<<10 {
				t.Errorf("%d ranges: %d with %d bytes", n, r.Status, len(r.Body))
			}
		}
	})
	bothTrees(t, site, static.Config{MaxRanges: 2}, func(t *testing.T, h *static.Handler) {
		for n, status := range map[int]int{2: 206, 3: 200} {
			if r := get(t, h, "/large.bin", tinyRanges(n)); r.Status != status {
				t.Errorf("%d ranges of two: %d", n, r.Status)
			}
		}
	})
	bothTrees(t, site, static.Config{MaxRanges: -1}, func(t *testing.T, h *static.Handler) {
		if r := get(t, h, "/large.bin", tinyRanges(1)); r.Status != 200 || r.Header("accept-ranges") != "" {
			t.Errorf("no ranges: %d %v", r.Status, r.Headers)
		}
	})
}
