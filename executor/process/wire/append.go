package wire

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
)

// MaxPayloadBytes is the longest payload that any two sides can agree on: what
// the length of a frame can say, less a name.
const MaxPayloadBytes = math.MaxInt32 - 1 - MaxNameBytes

// send moves on by a frame of this side.
func (m *Machine) send(t Type) error {
	to := m.sends.next(m.state, t)
	if to == illegal {
		return ErrState
	}
	m.state = to
	return nil
}

// AppendHostHello appends the host's hello; it comes first. Protocol is filled in.
func (m *Machine) AppendHostHello(dst []byte, h HostHello) ([]byte, error) {
	if !m.host || m.greeted || m.state != greeting {
		return dst, ErrState
	}
	h.Protocol = Version
	out, err := appendJSON(dst, Hello, 0, h)
	if err != nil {
		return dst, err
	}
	m.greeted = true
	m.agree(h)
	return out, nil
}

// AppendWorkerHello appends the worker's hello, which says that it is ready.
// Protocol is filled in; Memory is dropped where the host offers none.
func (m *Machine) AppendWorkerHello(dst []byte, h WorkerHello) ([]byte, error) {
	if m.host || !m.met || m.state != greeting {
		return dst, ErrState
	}
	h.Protocol = Version
	h.Memory = h.Memory && m.offered > 0
	if checkJobs(h.Jobs) != nil {
		return dst, ErrSize
	}
	out, err := appendJSON(dst, Hello, 0, h)
	if err != nil {
		return dst, err
	}
	m.memory = h.Memory
	return out, m.send(Hello)
}

// AppendJob appends the start of a job with a payload of size bytes. If it is
// not in memory the caller sends those bytes right after what was appended.
func (m *Machine) AppendJob(dst []byte, name string, size int64, inMemory bool) ([]byte, error) {
	if !m.host || m.state != idle || (inMemory && !m.memory) {
		return dst, ErrState
	}
	if len(name) == 0 || len(name) > MaxNameBytes || m.tooLong(size, inMemory) {
		return dst, ErrSize
	}
	m.job++
	h := header{typ: Job, number: m.job, length: uint32(1+len(name)) + bodyLength(size, inMemory)}
	if inMemory {
		h.flags = memoryFlag
	}
	dst = append(h.append(dst), byte(len(name)))
	dst = append(dst, name...)
	return appendSize(dst, size, inMemory), m.send(Job)
}

// AppendResult appends the start of the job's result, whose payload has size
// bytes. If it is not in memory the caller sends those bytes right after.
func (m *Machine) AppendResult(dst []byte, size int64, inMemory bool) ([]byte, error) {
	if m.host || m.state != busy || (inMemory && !m.memory) {
		return dst, ErrState
	}
	if m.tooLong(size, inMemory) {
		return dst, ErrSize
	}
	h := header{typ: Result, number: m.job, length: bodyLength(size, inMemory)}
	if inMemory {
		h.flags = memoryFlag
	}
	return appendSize(h.append(dst), size, inMemory), m.send(Result)
}

func (m *Machine) tooLong(size int64, inMemory bool) bool {
	return size < 0 || size > m.maxPayload || (inMemory && size > m.offered)
}

func bodyLength(size int64, inMemory bool) uint32 {
	if inMemory {
		return 8
	}
	return uint32(size)
}

func appendSize(dst []byte, size int64, inMemory bool) []byte {
	if inMemory {
		return binary.BigEndian.AppendUint64(dst, uint64(size))
	}
	return dst
}

// AppendCancel appends that the job under way is not wanted any more.
func (m *Machine) AppendCancel(dst []byte) ([]byte, error) {
	return m.appendPlain(dst, true, Cancel, m.job, nil)
}

// AppendPing appends the question whether the worker lives.
func (m *Machine) AppendPing(dst []byte) ([]byte, error) {
	out, err := m.appendPlain(dst, true, Ping, m.pings+1, nil)
	if err == nil {
		m.pings++
	}
	return out, err
}

// AppendPong answers the oldest ping that has had no answer.
func (m *Machine) AppendPong(dst []byte) ([]byte, error) {
	if m.pongs == m.pings {
		return dst, ErrState
	}
	out, err := m.appendPlain(dst, false, Pong, m.pongs+1, nil)
	if err == nil {
		m.pongs++
	}
	return out, err
}

// AppendProgress appends how far the job is, in at most MaxProgressBytes.
func (m *Machine) AppendProgress(dst, data []byte) ([]byte, error) {
	if len(data) > MaxProgressBytes {
		return dst, ErrSize
	}
	return m.appendPlain(dst, false, Progress, m.job, data)
}

func (m *Machine) appendPlain(dst []byte, byHost bool, t Type, number uint32, data []byte) ([]byte, error) {
	if m.host != byHost {
		return dst, ErrState
	}
	if err := m.send(t); err != nil {
		return dst, err
	}
	dst = header{typ: t, number: number, length: uint32(len(data))}.append(dst)
	return append(dst, data...), nil
}

// AppendError ends the job under way without a result or, before this side's
// hello, says why there will be none. Text that would not fit is cut.
func (m *Machine) AppendError(dst []byte, f Failure) ([]byte, error) {
	if m.host || m.sends.next(m.state, Error) == illegal {
		return dst, ErrState
	}
	// A byte may take six in JSON, and both texts must fit.
	const longest = MaxControlBytes/12 - 256
	f.Message, f.Stack = cut(f.Message, longest), cut(f.Stack, longest)
	out, err := appendJSON(dst, Error, m.job, f)
	if err != nil {
		return dst, err
	}
	return out, m.send(Error)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " ..."
}

func appendJSON(dst []byte, t Type, number uint32, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil || len(body) > MaxControlBytes {
		return dst, ErrSize
	}
	return append(header{typ: t, number: number, length: uint32(len(body))}.append(dst), body...), nil
}
