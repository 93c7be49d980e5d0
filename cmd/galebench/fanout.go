package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
	"github.com/gale-server/gale/cmd/internal/garbage"
)

// fanout measures what it costs to bring what is published to all who are in a
// room, over WebSockets, event streams or long polls. Every delivery is counted,
// and one that is lost, doubled or out of order is an error.
type fanout struct {
	workload
	media       map[contender.Protocol]load.Medium
	subscribers int
	rooms       int
	inFlight    int
	size        int
	warmup      time.Duration
	duration    time.Duration
	samples     func(fanoutResult) []sample
	room        bool // for the garbage of the servers in Go, as gale's own program has it
}

// fanoutResult is what one contender gave in one round.
type fanoutResult struct {
	load.CrowdResult
	used cpu
	each footprint // of a subscriber
}

// The number of publishers bounds what is written of a publication.
const maxInFlight = 1000

func fanoutFlags(subscribers, rooms, inFlight int) []cli.Flag {
	return append(trafficFlags(),
		&cli.IntFlag{Name: "subscribers", Value: subscribers, Usage: "number of connections that listen, spread over the rooms"},
		&cli.IntFlag{Name: "rooms", Value: rooms, Usage: "number of rooms; each publisher publishes in one after the other"},
		&cli.IntFlag{Name: "in-flight", Value: inFlight, Usage: "number of publishers, each of which waits until all have heard it before it publishes again"},
		&cli.IntFlag{Name: "size", Value: 125, Usage: "bytes that are published"})
}

func fanoutCommand() *cli.Command {
	w := &fanout{
		media: map[contender.Protocol]load.Medium{
			contender.Rooms:           load.NewRooms(),
			contender.GaleRooms:       load.NewGaleRooms(),
			contender.CentrifugeRooms: load.NewCentrifugeRooms(),
		},
		samples: func(r fanoutResult) []sample {
			return []sample{{deliveriesPerCPU, r.perCPUSecond()}, {latency99, r.latency(0.99)}, {latency50, r.latency(0.5)},
				{userPerDelivery, r.userEach()}, {serverCPU, r.cpuShare()}}
		},
	}
	return &cli.Command{
		Name:         "fanout",
		Usage:        "deliveries of what is published to all in a room, over WebSockets, per CPU-second",
		Flags:        append(contenderFlags(5, "gale", "gorilla-hub", "gws", "centrifuge"), fanoutFlags(5000, 1, 1)...),
		OnUsageError: onUsageError,
		Action:       w.action,
	}
}

func sseCommand() *cli.Command {
	w := &fanout{
		media: map[contender.Protocol]load.Medium{
			contender.Events:     load.NewEventStreams("/sse?id=%s"),
			contender.GaleEvents: load.NewEventStreams("/hub/sse?ch=%s"),
		},
		room: true,
		samples: func(r fanoutResult) []sample {
			return []sample{{cpuPerDelivery, r.cpuEach()}, {rssPerStream, r.each.rss}, {latency99, r.latency(0.99)},
				{userPerDelivery, r.userEach()}, {serverCPU, r.cpuShare()}}
		},
	}
	return &cli.Command{
		Name:         "sse",
		Usage:        "CPU time of a delivery to an event stream, and memory of a stream",
		Flags:        append(contenderFlags(5, "gale", "nchan", "nethttp"), fanoutFlags(10000, 100, 4)...),
		OnUsageError: onUsageError,
		Action:       w.action,
	}
}

func pollCommand() *cli.Command {
	w := &fanout{
		media: map[contender.Protocol]load.Medium{
			contender.GalePolls:  load.NewGalePolls(),
			contender.NchanPolls: load.NewNchanPolls(),
		},
		room: true,
		samples: func(r fanoutResult) []sample {
			return []sample{{cpuPerWake, r.cpuEach()}, {rssPerPoll, r.each.rss}, {latency99, r.latency(0.99)},
				{userPerDelivery, r.userEach()}, {serverCPU, r.cpuShare()}}
		},
	}
	return &cli.Command{
		Name:         "poll",
		Usage:        "CPU time of a long poll that is answered and asked again, and memory of one that waits",
		Flags:        append(contenderFlags(5, "gale", "nchan"), fanoutFlags(10000, 100, 4)...),
		OnUsageError: onUsageError,
		Action:       w.action,
	}
}

func (w *fanout) action(_ context.Context, c *cli.Command) error {
	w.subscribers, w.rooms, w.inFlight, w.size = c.Int("subscribers"), c.Int("rooms"), c.Int("in-flight"), c.Int("size")
	w.warmup, w.duration = c.Duration("warmup"), c.Duration("duration")
	switch {
	case w.rooms < 1 || w.rooms > w.subscribers:
		return usagef("--rooms must be between 1 and the number of subscribers")
	case w.inFlight < 1 || w.inFlight > maxInFlight:
		return usagef("--in-flight must be between 1 and %d", maxInFlight)
	case w.size < 32 || w.size > 32<<10:
		return usagef("--size must be between 32 and 32768")
	}
	if err := checkDurations(w.warmup, w.duration); err != nil {
		return err
	}
	w.connsFlag = "subscribers"
	parameters := fmt.Sprintf("rooms=%d in-flight=%d size=%d duration=%v", w.rooms, w.inFlight, w.size, w.duration)
	if w.room {
		parameters += " " + garbage.Room()
	}
	if err := w.configureAs(c, parameters); err != nil {
		return err
	}
	w.place.room = w.room
	if err := w.choose(c.String("contenders"), slices.Collect(maps.Keys(w.media))); err != nil {
		return err
	}
	w.workload.measure = w.measure
	return w.report(c)
}

func (w *fanout) medium(c contender.Contender) load.Medium {
	for _, p := range c.Speaks {
		if m, ok := w.media[p]; ok {
			return m
		}
	}
	panic("galebench: " + c.Name + " speaks none of the workload's protocols")
}

// measure starts a server, has everybody subscribe, warms it up, and measures it.
func (w *fanout) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, w.place)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	empty, err := footprintOf(server)
	if err != nil {
		return nil, err
	}
	crowd, err := load.OpenCrowd(load.CrowdConfig{
		Server: server.addr, Medium: w.medium(c), Subscribers: w.subscribers, Rooms: w.rooms, InFlight: w.inFlight, Size: w.size,
	})
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	full, err := footprintOf(server)
	if err != nil {
		return nil, err
	}
	if _, err := crowd.Run(w.warmup); err != nil {
		return nil, err
	}
	var result load.CrowdResult
	used, err := w.metered(server, fmt.Sprintf("%s-%d-%d-%s", w.name, w.rooms, w.inFlight, c.Name), round, func() (err error) {
		result, err = crowd.Run(w.duration)
		return err
	})
	if err != nil {
		return nil, err
	}
	if result.Deliveries == 0 {
		return nil, fmt.Errorf("nothing was delivered within %v", w.duration)
	}
	samples := w.samples(fanoutResult{CrowdResult: result, used: used, each: full.each(empty, w.subscribers)})
	return samples, crowd.Finish()
}

func (r fanoutResult) perCPUSecond() float64 { return float64(r.Deliveries) / r.used.total.Seconds() }
func (r fanoutResult) cpuEach() float64      { return microseconds(r.used.total) / float64(r.Deliveries) }
func (r fanoutResult) userEach() float64     { return microseconds(r.used.user) / float64(r.Deliveries) }
func (r fanoutResult) cpuShare() float64     { return 100 * r.used.total.Seconds() / r.Elapsed.Seconds() }
func (r fanoutResult) latency(q float64) float64 {
	return float64(r.Latency.Quantile(q)) / float64(time.Millisecond)
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
