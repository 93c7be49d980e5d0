package http1

import (
	"testing"

	"github.com/gale-server/gale/internal/limits"
)

// That each default holds is shown by TestDefaultLimits of asgi/server.
func TestLimitsAreDocumented(t *testing.T) {
	var c Config
	limits.Check(t, limits.Config{Package: "http1", Root: "../..", Defaults: Config{
		MaxHeadBytes:           c.maxHead(),
		MaxTargetBytes:         c.maxTarget(),
		MaxFields:              c.maxFields(),
		MaxTrailerBytes:        c.maxTrailer(),
		MaxChunkExtensionBytes: int(c.maxChunkExt()),
		MaxBodyExtensionBytes:  int(c.maxBodyExt()),
		MaxBodyBytes:           c.maxBody(),
		MaxDrainBytes:          c.maxDrain(),
	}})
}
