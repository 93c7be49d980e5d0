package wire

import (
	"encoding/binary"
	"encoding/json"
)

// state is where a conversation is. Both sides go through the same ones.
type state byte

const (
	greeting state = iota // hellos are under way
	idle                  // no job
	busy                  // one job
	over                  // the stream broke, or the worker said why it cannot start
	illegal               // what a table entry leads to that is not there
)

// received says, by state, which frames the peer may send and where they lead.
// A missing entry is an error of the peer. A Hello leads on only once this side
// has said its own, which is so for the host, who speaks first; for the worker
// AppendHello leads on.
type transitions map[state]map[Type]state

var (
	hostReceives = transitions{
		greeting: {Hello: idle, Error: over},
		idle:     {Pong: idle},
		busy:     {Progress: busy, Pong: busy, Result: idle, Error: idle},
	}
	workerReceives = transitions{
		greeting: {Hello: greeting},
		idle:     {Job: busy, Cancel: idle, Ping: idle},
		busy:     {Cancel: busy, Ping: busy},
	}
	// hostSends and workerSends say the same of this side's frames; a missing
	// entry is ErrState.
	hostSends = transitions{
		greeting: {Hello: greeting},
		idle:     {Job: busy, Ping: idle},
		busy:     {Cancel: busy, Ping: busy},
	}
	workerSends = transitions{
		greeting: {Hello: idle, Error: over},
		idle:     {Pong: idle},
		busy:     {Progress: busy, Pong: busy, Result: idle, Error: idle},
	}
)

func (t transitions) next(from state, by Type) state {
	if to, ok := t[from][by]; ok {
		return to
	}
	return illegal
}

// Machine is one side of the conversation with one worker. Make one with
// [NewHost] or [NewWorker].
//
// Not safe for concurrent use.
type Machine struct {
	host     bool
	receives transitions
	sends    transitions
	state    state
	greeted  bool // this side said hello
	met      bool // the peer said hello
	err      error

	maxPayload int64  // agreed by the host's hello
	offered    int64  // bytes of memory in the host's hello
	memory     bool   // both sides can use it
	job        uint32 // number of the job under way, or of the last one
	pings      uint32 // number of the last ping
	pongs      uint32 // number of the last pong

	have   int // bytes of head that have arrived
	head   [HeaderBytes]byte
	now    header // what head says, once it is whole
	body   []byte // of the frame that has not arrived whole
	bodied bool   // body was handed out: empty it at the next call
}

// NewHost is the side of a pool.
func NewHost() *Machine {
	return &Machine{host: true, receives: hostReceives, sends: hostSends}
}

// NewWorker is the side of a worker.
func NewWorker() *Machine {
	return &Machine{receives: workerReceives, sends: workerSends}
}

// Event is what [Machine.Next] found. Only the fields of its Type are set.
// Data is valid until the next call of Next, and part of its argument or of the
// machine's buffer.
type Event struct {
	Type   Type
	N      int    // bytes taken
	Number uint32 // of the job or ping

	Name   string // Job
	Data   []byte // Job, Result, Progress: the payload, if it is inline
	Memory bool   // Job, Result: the payload is in memory
	Size   int64  // Job, Result: its length, if it is in memory

	Host    HostHello   // Hello, at the worker
	Worker  WorkerHello // Hello, at the host
	Failure Failure     // Error
}

// Next takes bytes of p until they make an event, at most all of them. An event
// of type NeedData has taken all of p. The error is a [*PeerError] or a
// [*VersionError], and final.
func (m *Machine) Next(p []byte) (Event, error) {
	if m.err != nil {
		return Event{}, m.err
	}
	event, err := m.next(p)
	if err != nil {
		m.err, m.state, m.body = err, over, nil
		return Event{}, err
	}
	return event, nil
}

func (m *Machine) next(p []byte) (Event, error) {
	if m.bodied {
		m.body, m.bodied = m.body[:0], false
		if cap(m.body) > MaxProgressBytes {
			m.body = nil // a worker between jobs holds no payload
		}
	}
	taken := 0
	for {
		n, err := m.takeHeader(p[taken:])
		taken += n
		if err != nil || m.have < HeaderBytes {
			return Event{N: taken}, err
		}
		body, n := m.takeBody(p[taken:])
		taken += n
		if body == nil {
			return Event{N: taken}, nil
		}
		m.have = 0
		event, err := m.frame(body)
		if err != nil || event.Type != NeedData {
			event.N = taken
			return event, err
		}
		m.body = m.body[:0] // a frame that came too late to matter
	}
}

// takeHeader fills head and checks it as soon as it is whole.
func (m *Machine) takeHeader(p []byte) (int, error) {
	if m.have == HeaderBytes || len(p) == 0 {
		return 0, nil
	}
	if m.have == 0 && p[0] != magic {
		return 0, broken("what was read is not a frame")
	}
	n := copy(m.head[m.have:], p)
	m.have += n
	if m.have < HeaderBytes {
		return n, nil
	}
	h, ok := parseHeader(m.head[:])
	if !ok {
		return n, broken("a frame with a header that this version does not have")
	}
	m.now = h
	return n, m.check(h)
}

// check judges a frame by its header.
func (m *Machine) check(h header) error {
	if m.receives.next(m.state, h.typ) == illegal || (h.typ == Hello && m.met) {
		return broken("a frame of type %v, which is not allowed now", h.typ)
	}
	if !m.host && !m.met && h.typ != Hello {
		return broken("a frame of type %v before the hello", h.typ)
	}
	if err := m.checkNumber(h); err != nil {
		return err
	}
	inMemory := h.flags == memoryFlag && m.memory && (h.typ == Job || h.typ == Result)
	if h.flags != 0 && !inMemory {
		return broken("a frame of type %v with flags %#x", h.typ, h.flags)
	}
	if low, high := m.lengths(h.typ, inMemory); int64(h.length) < low || int64(h.length) > high {
		return broken("a frame of type %v with %d bytes, which are not from %d to %d", h.typ, h.length, low, high)
	}
	return nil
}

func (m *Machine) checkNumber(h header) error {
	ok := true
	switch h.typ {
	case Hello:
		ok = h.number == 0
	case Error, Result, Progress:
		ok = h.number == m.job // zero while there is no hello
	case Job:
		ok = h.number == m.job+1
	case Ping:
		ok = h.number == m.pings+1
	case Pong:
		ok = h.number == m.pongs+1 && m.pongs != m.pings
	}
	if !ok {
		return broken("a frame of type %v with number %d, which is not due", h.typ, h.number)
	}
	return nil
}

// lengths are the shortest and the longest body of a frame.
func (m *Machine) lengths(t Type, inMemory bool) (int64, int64) {
	switch t {
	case Hello, Error:
		return 2, MaxControlBytes
	case Progress:
		return 0, MaxProgressBytes
	case Job:
		if inMemory {
			return 1 + 8, 1 + MaxNameBytes + 8
		}
		return 1, 1 + MaxNameBytes + m.maxPayload
	case Result:
		if inMemory {
			return 8, 8
		}
		return 0, m.maxPayload
	default:
		return 0, 0
	}
}

// takeBody returns the body of the frame once all of it is there, else nil. It
// is a part of p if p has all of it.
func (m *Machine) takeBody(p []byte) ([]byte, int) {
	length := int(m.now.length)
	if len(m.body) == 0 && len(p) >= length {
		return p[:length:length], length // never nil: p is not
	}
	n := min(length-len(m.body), len(p))
	m.body = append(m.body, p[:n]...)
	if len(m.body) < length {
		return nil, n
	}
	m.bodied = true
	return m.body, n
}

// frame makes an event of a whole frame.
func (m *Machine) frame(body []byte) (Event, error) {
	h := m.now
	event := Event{Type: h.typ, Number: h.number}
	var err error
	switch h.typ {
	case Hello:
		err = m.meet(&event, body)
	case Error:
		err = decode(h.typ, body, &event.Failure)
	case Cancel:
		if m.state != busy || h.number != m.job {
			return Event{}, nil // the job was over before the host knew
		}
	case Job:
		err = m.takeJob(&event, body)
	case Result:
		err = m.payload(&event, body)
	case Progress:
		event.Data = body
	case Ping:
		m.pings++
	case Pong:
		m.pongs++
	}
	if err != nil {
		return Event{}, err
	}
	m.state = m.receives.next(m.state, h.typ)
	return event, nil
}

func decode(t Type, body []byte, into any) error {
	if deeper(body, MaxDepth) { // also what is not known, and would be skipped
		return broken("a frame of type %v whose JSON is nested deeper than %d levels", t, MaxDepth)
	}
	if json.Unmarshal(body, into) != nil {
		return broken("a frame of type %v whose JSON is wrong", t)
	}
	return nil
}

// deeper reports whether arrays and objects are nested deeper than most levels in
// p, which need not be JSON.
func deeper(p []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > most {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// checkJobs judges the names of jobs in a worker's hello.
func checkJobs(names []string) error {
	if len(names) > MaxJobs {
		return broken("a hello with %d jobs, more than %d", len(names), MaxJobs)
	}
	for _, name := range names {
		if len(name) == 0 || len(name) > MaxNameBytes {
			return broken("a hello with a job whose name has %d bytes, which are not from 1 to %d", len(name), MaxNameBytes)
		}
	}
	return nil
}

// meet takes the peer's hello.
func (m *Machine) meet(event *Event, body []byte) error {
	if m.host {
		if err := decode(Hello, body, &event.Worker); err != nil {
			return err
		}
		if v := event.Worker.Protocol; v != Version {
			return &VersionError{Peer: v}
		}
		if err := checkJobs(event.Worker.Jobs); err != nil {
			return err
		}
		if event.Worker.Memory && m.offered == 0 {
			return broken("a hello that takes memory which was not offered")
		}
		m.memory = event.Worker.Memory
	} else {
		if err := decode(Hello, body, &event.Host); err != nil {
			return err
		}
		if v := event.Host.Protocol; v != Version {
			return &VersionError{Peer: v}
		}
		m.agree(event.Host)
	}
	m.met = true
	return nil
}

// agree keeps what the host's hello says, on both sides.
func (m *Machine) agree(h HostHello) {
	m.maxPayload = min(max(h.MaxPayloadBytes, 0), MaxPayloadBytes)
	if h.Memory != nil {
		m.offered = max(h.Memory.Bytes, 0)
	}
}

// takeJob splits the body of a job: one byte with the length of the name, the
// name, the payload.
func (m *Machine) takeJob(event *Event, body []byte) error {
	end := 1 + int(body[0])
	if end > len(body) || end == 1 {
		return broken("a job without a name")
	}
	event.Name = string(body[1:end])
	if err := m.payload(event, body[end:]); err != nil {
		return err
	}
	m.job++
	return nil
}

// payload takes what follows: the payload, or its length in memory.
func (m *Machine) payload(event *Event, b []byte) error {
	if m.now.flags&memoryFlag == 0 {
		if int64(len(b)) > m.maxPayload {
			return broken("a payload of %d bytes, more than %d", len(b), m.maxPayload)
		}
		event.Data = b
		return nil
	}
	if len(b) != 8 {
		return broken("a length of %d bytes, not 8", len(b))
	}
	size := binary.BigEndian.Uint64(b)
	if size > uint64(min(m.maxPayload, m.offered)) {
		return broken("a payload of %d bytes in memory, more than there is", size)
	}
	event.Memory, event.Size = true, int64(size)
	return nil
}

// Busy says whether a job is under way.
func (m *Machine) Busy() bool { return m.state == busy }

// Ready says whether both sides have said hello.
func (m *Machine) Ready() bool { return m.state == idle || m.state == busy }

// Memory says whether payloads may be in memory.
func (m *Machine) Memory() bool { return m.memory }

// Unanswered is how many pings have had no pong.
func (m *Machine) Unanswered() int { return int(m.pings - m.pongs) }

// Partial says whether a frame has arrived in part.
func (m *Machine) Partial() bool { return m.have > 0 }

// Answered is how many pings have had a pong.
func (m *Machine) Answered() int { return int(m.pongs) }
