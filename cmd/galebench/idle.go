package main

import (
	"fmt"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/cmd/galebench/load"
)

// idle measures what a server keeps for conns on which nothing happens any more.
type idle struct {
	workload
	dialogues map[contender.Protocol]func() load.Dialogue
	conns     int
}

// footprint is the memory of a server at one time, in bytes.
type footprint struct{ heapStack, stack, rss, rssBeforeGC, slab float64 }

// checkEvery is the share of the conns that must still echo after the
// measurement: one in so many.
const checkEvery = 100

// measure takes the difference between a server with conns and one without.
func (w *idle) measure(c contender.Contender, round int) ([]sample, error) {
	server, err := startChild(c.Name, w.place)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	before, err := footprintOf(server)
	if err != nil {
		return nil, err
	}
	g, err := load.Open(load.Config{Server: server.addr, Dialogue: dialogueFor(c, w.dialogues), Conns: w.conns})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	after, err := footprintOf(server)
	if err != nil {
		return nil, err
	}
	if err := w.profile(server, "heap", w.name+"-"+c.Name, round); err != nil {
		return nil, err
	}
	if err := g.Check(checkEvery); err != nil {
		return nil, fmt.Errorf("a conn did not survive: %w", err)
	}
	each := after.each(before, w.conns)
	return []sample{
		{heapStackPerConn, each.heapStack},
		{stackPerConn, each.stack},
		{rssPerConn, each.rss},
		{rssBeforeGCPerConn, each.rssBeforeGC},
		{slabPerConn, each.slab},
	}, nil
}

// each is what one of n needs that were not there before.
func (f footprint) each(before footprint, n int) footprint {
	each := func(after, before float64) float64 { return (after - before) / float64(n) }
	return footprint{
		heapStack:   each(f.heapStack, before.heapStack),
		stack:       each(f.stack, before.stack),
		rss:         each(f.rss, before.rss),
		rssBeforeGC: each(f.rssBeforeGC, before.rss),
		slab:        each(f.slab, before.slab),
	}
}

// footprintOf looks from the outside, has the server collect its garbage, and
// looks from the outside and the inside. The slab is the whole machine's.
func footprintOf(server *child) (footprint, error) {
	rssBeforeGC, err := server.rss()
	if err != nil {
		return footprint{}, err
	}
	inside, err := server.ask("memory")
	if err != nil {
		return footprint{}, err
	}
	rss, err := server.rss()
	if err != nil {
		return footprint{}, err
	}
	slab, err := procField("/proc/meminfo", "Slab")
	if err != nil {
		return footprint{}, err
	}
	return footprint{
		heapStack:   float64(inside.Heap + inside.Stack),
		stack:       float64(inside.Stack),
		rss:         float64(rss),
		rssBeforeGC: float64(rssBeforeGC),
		slab:        float64(slab),
	}, nil
}
