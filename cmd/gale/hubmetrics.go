package main

import (
	"fmt"
	"strings"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
)

// hubMetrics is the handler of the figures of a hub in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func hubMetrics(h *hub.Hub) asgi.Handler {
	return asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		s := h.Stats()
		var b strings.Builder
		for _, m := range []struct {
			name, kind, help string
			value            uint64
		}{
			{"clients", "gauge", "Connections and parked polls.", uint64(s.Clients)},
			{"subscriptions", "gauge", "Subscriptions of clients.", uint64(s.Subscriptions)},
			{"channels", "gauge", "Channels that are kept.", uint64(s.Channels)},
			{"published_total", "counter", "Messages that were published.", s.Published},
			{"delivered_total", "counter", "Messages that connections took.", s.Delivered},
			{"recovered_total", "counter", "Messages that were read from a history.", s.Recovered},
			{"gaps_total", "counter", "Gaps that subscribers were told.", s.Gaps},
			{"slow_total", "counter", "Times that a policy for slow subscribers acted.", s.Slow},
			{"bytes", "gauge", "Bytes that channels, messages and subscriptions take.", uint64(s.Bytes)},
			{"max_bytes", "gauge", "The most bytes that there may be.", uint64(s.MaxBytes)},
			{"evicted_total", "counter", "Messages of histories that made room for others.", s.Evicted},
			{"backlogs_total", "counter", "Times that a loop was so far behind that its clients had to read.", s.Backlogs},
		} {
			fmt.Fprintf(&b, "# HELP gale_hub_%[1]s %[2]s\n# TYPE gale_hub_%[1]s %[3]s\ngale_hub_%[1]s %[4]d\n", m.name, m.help, m.kind, m.value)
		}
		_ = handlers.Respond(x, 200, []byte(b.String()), // an error means that nobody is there
			asgi.Header{Name: "content-type", Value: "text/plain; version=0.0.4; charset=utf-8"},
			asgi.Header{Name: "cache-control", Value: "no-store"})
		return nil
	})
}
