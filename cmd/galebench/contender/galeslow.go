package contender

import (
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/eventloop"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// SlowPrefixes are what the names of channels begin with that have a hub's policies
// for slow subscribers, by the names of the policies.
var SlowPrefixes = map[string]string{"disconnect": "disconnect:", "drop-oldest": "oldest:", "latest-only": "latest:"}

// SlowHistory is how many messages these channels keep.
const SlowHistory = 64

var slowHub atomic.Pointer[hub.Hub]

// Slow is how many subscribers of this process were found slow and have not been told
// of a gap since.
func Slow() int64 {
	h := slowHub.Load()
	if h == nil {
		return 0
	}
	s := h.Stats()
	return int64(s.Slow) - int64(s.Gaps)
}

// startGaleSlow serves a hub in which a subscriber that reads nothing is slow after
// seconds, not minutes: it keeps little for it.
func startGaleSlow(cfg Config) (net.Addr, error) {
	channels := make(map[string]hub.Options)
	for name, policy := range map[string]hub.SlowPolicy{
		"disconnect": hub.SlowDisconnect, "drop-oldest": hub.SlowDropOldest, "latest-only": hub.SlowLatest,
	} {
		channels[SlowPrefixes[name]] = hub.Options{Slow: policy, HistoryMessages: SlowHistory, MaxLagBytes: 16 << 10}
	}
	h, err := hub.New(hub.Config{PublishRate: -1, Channels: channels}) // closed with the process
	if err != nil {
		return nil, err
	}
	slowHub.Store(h)
	sockets, err := socket.New(socket.Config{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
	if err != nil {
		return nil, err
	}
	var mux handlers.Mux
	mux.WebSocket("/hub/ws", sockets)
	srv, err := server.New(server.Config{
		Handler:      &mux,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		CloseTimeout: time.Minute, // the slow one reads how it was closed when all is measured
		Loop:         eventloop.Config{Loops: cfg.Loops, HighWatermark: 32 << 10},
	})
	if err != nil {
		return nil, err
	}
	return run(srv)
}
