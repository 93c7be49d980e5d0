package websocket

import (
	"testing"

	"github.com/gale-server/gale/internal/limits"
)

// That the default holds is shown by TestDefaultLimits of asgi/server.
func TestLimitsAreDocumented(t *testing.T) {
	limits.Check(t, limits.Config{Package: "websocket", Root: "../..", Defaults: Config{
		MaxMessageBytes: new(Config).messageLimit(),
	}, Others: []string{"Buffers"}})
}
