package eventloop

import (
	"net/netip"

	"github.com/gale-server/gale/eventloop/internal/kernel"
)

// Simulation is a loop without a poller: a test decides what happens when, on
// a kernel that it scripts. Conns are the real ones. It is the seam under
// package looptest, which is what tests should use.
//
// Loop-owned: whoever calls it is the loop.
type Simulation struct {
	loop  *Loop
	table table
}

// NewSimulation makes a loop on k.
func NewSimulation(config Config, k kernel.Kernel) (*Simulation, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := new(Simulation)
	s.loop = newLoop(0, nil, &config, k, &s.table)
	s.loop.Adopt()
	return s, nil
}

// Config is what the loop was made with, every default put in.
func (s *Simulation) Config() Config { return *s.loop.config }

// Loop is the loop that is simulated.
func (s *Simulation) Loop() *Loop { return s.loop }

// Open has the loop take over descriptor fd in its next wake turn, as if it had
// been accepted at local from remote. The Conn is handed to open.
func (s *Simulation) Open(fd int, local Addr, remote netip.AddrPort, open func(Conn) Protocol) {
	conn := newSocket(s.loop, fd, &listener{fd: -1, addr: local, open: open}, remote)
	s.loop.conns.Add(1)
	s.loop.mailbox.force(task{conn: conn})
}

// Ready runs the turn of one descriptor.
func (s *Simulation) Ready(fd int, r kernel.Readiness) {
	s.loop.Adopt()
	s.loop.onReady(fd, r)
}

// Wake runs a wake turn.
func (s *Simulation) Wake() {
	s.loop.Adopt()
	s.loop.onWake()
}

// Timer runs a timer turn.
func (s *Simulation) Timer() {
	s.loop.Adopt()
	s.loop.onTimer()
}

// OwnsInput reports whether p is what a read put into the loop's memory.
func (s *Simulation) OwnsInput(p []byte) bool { return within(p, s.loop.input) }

// Conns is the number of conns that have not ended.
func (s *Simulation) Conns() int { return int(s.loop.conns.Load()) }

// ReadPaused reports whether the conn of fd has paused reading.
func (s *Simulation) ReadPaused(fd int) bool {
	conn := s.table.find(fd)
	return conn != nil && conn.has(paused)
}
