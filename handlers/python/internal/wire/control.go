package wire

import (
	"encoding/binary"
	"math"
)

// The control socket's frames from gale.
const (
	Hello = 1 + iota
	Link
	Ping
	Stop
	Job
	Cancel
	Reply
	Drain
)

// The control socket's frames from a worker, as Reader.Control returns them.
type (
	// Ready says that the worker takes requests.
	Ready struct {
		Version        int64
		Python         string
		Implementation string
		Mode           string // asgi or wsgi
		Loop           string
		Lifespan       bool
		Jobs           []string
	}
	// Failed says why it will never be ready.
	Failed struct{ Kind, Message, Trace, Advice string }
	// Pong answers a ping.
	Pong struct {
		N       int64
		Streams int64
		Blocked float64 // for how many seconds the loop has stood still; 0 if it runs
	}
	// Blocked says that the loop has stood still for a while.
	Blocked struct {
		Seconds     float64
		Stack, Path string
	}
	// Call asks gale for something. Answered by a reply with its ID.
	Call struct {
		ID      int64
		Method  string
		Payload any
	}
	// Result answers a job. If it is not OK, Kind and Message say why.
	Result struct {
		ID            int64
		OK            bool
		Value         []byte
		Kind, Message string
	}
	// Stopped is the last frame. Lifespan is why the application failed to shut down.
	Stopped struct{ Lifespan string }
)

// The kinds of these.
const (
	kindReady = 1 + iota
	kindFailed
	kindPong
	kindBlocked
	kindCall
	kindResult
	kindStopped
)

// AppendControl appends a message with one frame of the control socket. Its fields are as
// in AppendValue.
func AppendControl(dst []byte, kind int, fields ...any) []byte {
	at := len(dst)
	dst = AppendList(append(dst, make([]byte, HeadBytes)...), 1)
	dst = AppendInt(AppendTuple(dst, 1+len(fields)), int64(kind))
	dst = appendAll(dst, fields)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-HeadBytes))
	return dst
}

// Control reads the next frame of a worker's control socket: a pointer to one of the types
// above. It does not lie in the message.
func (r *Reader) Control() (any, error) {
	fields := r.Tuple()
	kind := r.Within(kindReady, kindStopped)
	want := [...]int{kindReady: 3, kindFailed: 5, kindPong: 4, kindBlocked: 4, kindCall: 4, kindResult: 4, kindStopped: 2}
	if r.err == nil && fields != want[kind] {
		r.fail(errFields)
	}
	var frame any
	switch kind {
	case kindReady:
		frame = r.ready()
	case kindFailed:
		frame = &Failed{r.string(), r.string(), r.string(), r.string()}
	case kindPong:
		frame = &Pong{r.Int(), r.Within(0, math.MaxInt64), r.seconds()}
	case kindBlocked:
		frame = &Blocked{r.seconds(), r.string(), r.string()}
	case kindCall:
		frame = &Call{r.Int(), r.string(), r.Value()}
	case kindResult:
		frame = r.result()
	case kindStopped:
		frame = &Stopped{r.string()}
	}
	if r.err != nil {
		return nil, r.err
	}
	return frame, nil
}

func (r *Reader) string() string { return string(r.Text()) }

// seconds reads a time: a number that is not negative.
func (r *Reader) seconds() float64 {
	s := r.Float()
	if !(s >= 0 && s <= math.MaxInt32) {
		r.fail(errLarge)
		return 0
	}
	return s
}

// ready reads what a worker says about itself. Keys that are not known say nothing.
func (r *Reader) ready() *Ready {
	ready := &Ready{Version: r.Int()}
	r.Dict()
	for !r.End() {
		switch r.string() {
		case "python":
			ready.Python = r.string()
		case "implementation":
			ready.Implementation = r.string()
		case "mode":
			ready.Mode = r.string()
		case "loop":
			ready.Loop = r.string()
		case "lifespan":
			ready.Lifespan = r.Bool()
		case "jobs":
			for range r.Items() {
				ready.Jobs = append(ready.Jobs, r.string())
				if r.err != nil {
					return nil
				}
			}
		default:
			r.Value()
		}
	}
	return ready
}

func (r *Reader) result() *Result {
	result := &Result{ID: r.Int(), OK: r.Bool()}
	if result.OK {
		result.Value = append([]byte{}, r.Bytes()...)
		return result
	}
	if r.Items() != 2 {
		r.fail(errFields)
	}
	result.Kind, result.Message = r.string(), r.string()
	return result
}
