package logsink

import (
	"testing"

	"github.com/gale-server/gale/internal/limits"
)

func TestLimits(t *testing.T) {
	limits.Check(t, limits.Config{
		Package:  "logsink",
		Root:     "../..",
		Dir:      ".",
		Defaults: Config{}.withDefaults(nil),
		Others:   []string{"Dropped", "Failed"},
	})
}
