package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// raw is a frame as bytes.
func raw(t Type, flags byte, number uint32, body string) []byte {
	return append(header{typ: t, flags: flags, number: number, length: uint32(len(body))}.append(nil), body...)
}

func size(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

func hello(fields string) []byte { return raw(Hello, 0, 0, `{"protocol":1,`+fields+`}`) }

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func job(name, payload string) string { return string(byte(len(name))) + name + payload }

const (
	limit    = 200 << 10
	hostSays = `{"protocol":1,"max_payload_bytes":204800,"inline_bytes":65536,"memory":{"input_fd":3,"output_fd":4,"bytes":204800}}`
	workSays = `{"protocol":1,"jobs":["a","b"],"memory":true}`
)

// starts bring a machine to where a stream begins.
var starts = map[string]func() *Machine{
	"host, new": func() *Machine {
		m := NewHost()
		sends(m.AppendHostHello(nil, HostHello{MaxPayloadBytes: limit, Memory: &Memory{3, 4, limit}}))
		return m
	},
	"host, new, no memory": func() *Machine {
		m := NewHost()
		sends(m.AppendHostHello(nil, HostHello{MaxPayloadBytes: limit}))
		return m
	},
	"host, idle": func() *Machine {
		m := NewHost()
		sends(m.AppendHostHello(nil, HostHello{MaxPayloadBytes: limit, Memory: &Memory{3, 4, limit}}))
		hears(m, raw(Hello, 0, 0, workSays))
		sends(m.AppendPing(nil))
		return m
	},
	"host, busy": func() *Machine {
		m := NewHost()
		sends(m.AppendHostHello(nil, HostHello{MaxPayloadBytes: limit, Memory: &Memory{3, 4, limit}}))
		hears(m, raw(Hello, 0, 0, workSays))
		sends(m.AppendJob(nil, "a", 0, false))
		sends(m.AppendPing(nil))
		return m
	},
	"worker, new": NewWorker,
	"worker, met": func() *Machine {
		m := NewWorker()
		hears(m, raw(Hello, 0, 0, hostSays))
		return m
	},
	"worker, idle": func() *Machine {
		m := NewWorker()
		hears(m, raw(Hello, 0, 0, hostSays))
		sends(m.AppendWorkerHello(nil, WorkerHello{Memory: true}))
		return m
	},
	"worker, busy": func() *Machine {
		m := NewWorker()
		hears(m, raw(Hello, 0, 0, hostSays))
		sends(m.AppendWorkerHello(nil, WorkerHello{Memory: true}))
		hears(m, raw(Job, 0, 1, job("a", "")))
		return m
	},
}

func sends(_ []byte, err error) {
	if err != nil {
		panic(err)
	}
}

func hears(m *Machine, p []byte) {
	if event, err := m.Next(p); err != nil || event.N != len(p) {
		panic(fmt.Sprint(event, err))
	}
}

// vectors: what a machine says of a stream. An event is written as its type and
// what is in it; the last word may be an error.
var vectors = []struct {
	start string
	in    []byte
	want  string
}{
	{"host, new", raw(Hello, 0, 0, workSays), "Hello a,b true"},
	{"host, new", raw(Hello, 0, 0, `{"protocol":1,"new":{}}`), "Hello  false"},
	{"host, new", raw(Error, 0, 0, `{"kind":"error","message":"no licence"}`), "Error error: no licence"},
	{"host, new", append(raw(Error, 0, 0, `{}`), raw(Hello, 0, 0, workSays)...), "Error : | not allowed now"},
	{"host, new", raw(Hello, 0, 0, `{"protocol":2}`), "version 2"},
	{"host, new", raw(Hello, 0, 0, `{}`), "version 0"},
	{"host, new", raw(Hello, 0, 0, `{"protocol":`), "JSON"},
	{"host, new", raw(Hello, 0, 0, ``), "0 bytes"},
	{"host, new", raw(Hello, 0, 1, workSays), "number 1"},
	{"host, new", raw(Hello, 1, 0, workSays), "flags"},
	{"host, new", header{typ: Hello, length: MaxControlBytes + 1}.append(nil), "262145 bytes"},
	{"host, new", hello(`"jobs":["` + strings.Repeat("j", MaxNameBytes) + `"]`), "Hello " + strings.Repeat("j", MaxNameBytes) + " false"},
	{"host, new", hello(`"jobs":["` + strings.Repeat("j", MaxNameBytes+1) + `"]`), "256 bytes"},
	{"host, new", hello(`"jobs":[""]`), "0 bytes"},
	{"host, new", hello(`"jobs":["a"` + strings.Repeat(`,"a"`, MaxJobs-1) + `]`), "Hello a" + strings.Repeat(",a", MaxJobs-1) + " false"},
	{"host, new", hello(`"jobs":["a"` + strings.Repeat(`,"a"`, MaxJobs) + `]`), "1025 jobs"},
	{"host, new", hello(`"new":` + nested(MaxDepth-1)), "Hello  false"},
	{"host, new", hello(`"new":` + nested(MaxDepth)), "deeper than 16"},
	{"host, new", hello(`"program":"a\"` + strings.Repeat("[", MaxDepth+1) + `"`), "Hello  false"},
	{"host, new", raw(Hello, 0, 0, strings.Repeat("[", MaxControlBytes)), "deeper than 16"},
	{"host, new", hello(`"program":"` + strings.Repeat("x", MaxControlBytes-len(`{"protocol":1,"program":""}`)) + `"`), "Hello  false"},
	{"host, new", raw(Pong, 0, 1, ``), "not allowed now"},
	{"host, new", []byte("Hello, world!\n"), "not a frame"},
	{"host, new", append(raw(Hello, 0, 0, workSays), raw(Hello, 0, 0, workSays)...), "Hello a,b true | not allowed now"},
	{"host, new, no memory", raw(Hello, 0, 0, workSays), "not offered"},

	{"host, idle", raw(Pong, 0, 1, ``), "Pong 1"},
	{"host, idle", append(raw(Pong, 0, 1, ``), raw(Pong, 0, 2, ``)...), "Pong 1 | not due"},
	{"host, idle", raw(Pong, 0, 2, ``), "not due"},
	{"host, idle", raw(Pong, 0, 1, `x`), "1 bytes"},
	{"host, idle", raw(Result, 0, 0, ``), "not allowed now"},
	{"host, idle", raw(Progress, 0, 0, ``), "not allowed now"},
	{"host, idle", raw(Error, 0, 0, `{}`), "not allowed now"},
	{"host, idle", raw(Job, 0, 1, job("a", "")), "not allowed now"},
	{"host, idle", raw(99, 0, 1, ``), "not allowed now"},
	{"host, idle", raw(0, 0, 0, ``), "not allowed now"},

	{"host, busy", raw(Result, 0, 1, `ok`), "Result 1 ok"},
	{"host, busy", raw(Result, 0, 1, ``), "Result 1 "},
	{"host, busy", raw(Result, 0, 1, strings.Repeat("x", limit)), "Result 1 " + strings.Repeat("x", limit)},
	{"host, busy", header{typ: Result, number: 1, length: limit + 1}.append(nil), "204801 bytes"},
	{"host, busy", raw(Result, 1, 1, size(limit)), "Result 1 memory 204800"},
	{"host, busy", raw(Result, 1, 1, size(limit+1)), "more than there is"},
	{"host, busy", raw(Result, 1, 1, size(1<<63)), "more than there is"},
	{"host, busy", raw(Result, 1, 1, `1234567`), "7 bytes"},
	{"host, busy", raw(Result, 2, 1, ``), "flags"},
	{"host, busy", raw(Result, 0, 2, ``), "not due"},
	{"host, busy", raw(Result, 0, 0, ``), "not due"},
	{"host, busy", bytes.Join([][]byte{raw(Progress, 0, 1, `10`), raw(Pong, 0, 1, ``), raw(Progress, 0, 1, `20`), raw(Error, 0, 1, `{"kind":"panic","message":"m"}`)}, nil),
		"Progress 1 10 | Pong 1 | Progress 1 20 | Error panic: m"},
	{"host, busy", append(raw(Result, 0, 1, `x`), raw(Progress, 0, 1, ``)...), "Result 1 x | not allowed now"},
	{"host, busy", append(raw(Error, 0, 1, `{}`), raw(Result, 0, 1, ``)...), "Error : | not allowed now"},
	{"host, busy", append(raw(Result, 0, 1, `x`), "junk"...), "Result 1 x | not a frame"},
	{"host, busy", raw(Progress, 0, 1, strings.Repeat("x", MaxProgressBytes)), "Progress 1 " + strings.Repeat("x", MaxProgressBytes)},
	{"host, busy", header{typ: Progress, number: 1, length: MaxProgressBytes + 1}.append(nil), "65537 bytes"},
	{"host, busy", raw(Progress, 1, 1, size(1)), "flags"},
	{"host, busy", raw(Hello, 0, 0, workSays), "not allowed now"},
	{"host, busy", []byte{magic, byte(Result), 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}, "this version does not have"},
	{"host, busy", raw(Error, 0, 1, `[]`), "JSON"},
	{"host, busy", raw(Error, 0, 1, `{"message":"m","new":`+nested(MaxDepth-1)+`}`), "Error : m"},
	{"host, busy", raw(Error, 0, 1, `{"message":"m","new":`+nested(MaxDepth)+`}`), "deeper than 16"},
	{"host, busy", raw(Error, 0, 1, `{"message":`+strings.Repeat(`{"a":`, 40_000)), "deeper than 16"},

	{"worker, new", raw(Hello, 0, 0, hostSays), "Hello 204800"},
	{"worker, new", append(raw(Hello, 0, 0, hostSays), raw(Hello, 0, 0, hostSays)...), "Hello 204800 | not allowed now"},
	{"worker, new", raw(Hello, 0, 0, `{"protocol":3}`), "version 3"},
	{"worker, new", raw(Job, 0, 1, job("a", "")), "not allowed now"},
	{"worker, met", raw(Job, 0, 1, job("a", "")), "not allowed now"},
	{"worker, idle", raw(Job, 0, 1, job("a", "payload")), "Job 1 a payload"},
	{"worker, idle", raw(Job, 1, 1, job("a", size(7))), "Job 1 a memory 7"},
	{"worker, idle", raw(Job, 1, 1, job("a", size(limit+1))), "more than there is"},
	{"worker, idle", raw(Job, 1, 1, job("abcdefgh", "1234567")), "not 8"},
	{"worker, idle", raw(Job, 0, 1, job("", "payload")), "without a name"},
	{"worker, idle", raw(Job, 0, 1, "\x05abc"), "without a name"},
	{"worker, idle", raw(Job, 0, 1, ""), "0 bytes"},
	{"worker, idle", raw(Job, 0, 1, job("a", strings.Repeat("x", limit+1))), "more than 204800"},
	{"worker, idle", raw(Job, 0, 2, job("a", "")), "not due"},
	{"worker, idle", append(raw(Cancel, 0, 0, ""), raw(Ping, 0, 1, "")...), "Ping 1"}, // too late to matter
	{"worker, idle", append(raw(Job, 0, 1, job("a", "")), raw(Job, 0, 2, job("a", ""))...), "Job 1 a  | not allowed now"},
	{"worker, busy", raw(Cancel, 0, 1, ""), "Cancel 1"},
	{"worker, busy", append(raw(Cancel, 0, 7, ""), raw(Cancel, 0, 1, "")...), "Cancel 1"},
	{"worker, busy", raw(Cancel, 0, 1, "x"), "1 bytes"},
	{"worker, busy", append(raw(Ping, 0, 1, ""), raw(Ping, 0, 2, "")...), "Ping 1 | Ping 2"},
	{"worker, busy", raw(Ping, 0, 2, ""), "not due"},
	{"worker, busy", raw(Result, 0, 1, ""), "not allowed now"},
}

func text(e Event) string {
	switch e.Type {
	case Hello:
		if e.Host.Protocol != 0 {
			return fmt.Sprint("Hello ", e.Host.MaxPayloadBytes)
		}
		return fmt.Sprint("Hello ", strings.Join(e.Worker.Jobs, ","), " ", e.Worker.Memory)
	case Error:
		return strings.TrimSuffix(fmt.Sprintf("Error %s: %s", e.Failure.Kind, e.Failure.Message), " ")
	case Cancel, Ping, Pong:
		return fmt.Sprint(e.Type, " ", e.Number)
	}
	s := fmt.Sprint(e.Type, " ", e.Number, " ")
	if e.Type == Job {
		s += e.Name + " "
	}
	if e.Memory {
		return s + fmt.Sprint("memory ", e.Size)
	}
	return s + string(e.Data)
}

// feed gives the stream in pieces of the sizes that next says, and returns what
// came, and how many bytes had been taken when the stream broke.
func feed(t testing.TB, m *Machine, in []byte, next func(rest int) int) (said []string, taken int, err error) {
	for len(in) > 0 {
		piece := in[:min(max(next(len(in)), 1), len(in))]
		in = in[len(piece):]
		for len(piece) > 0 {
			event, err := m.Next(piece)
			if err != nil {
				if _, again := m.Next(piece); again != err {
					t.Errorf("the error is not final: %v", again)
				}
				return said, taken, err
			}
			taken += event.N
			piece = piece[event.N:]
			switch {
			case event.Type != NeedData:
				said = append(said, text(event))
			case len(piece) > 0:
				t.Fatal("NeedData has not taken everything")
			}
			if held := int64(cap(m.body)); held > max(2*int64(taken)+int64(len(piece)), 1<<10)+512 {
				t.Fatalf("%d bytes are held after %d", held, taken)
			}
		}
	}
	return said, taken, nil
}

func whole(rest int) int { return rest }

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.start+": "+v.want[:min(40, len(v.want))], func(t *testing.T) {
			said, taken, err := feed(t, starts[v.start](), v.in, whole)
			want := strings.Split(v.want, " | ")
			if err != nil {
				if !strings.Contains(err.Error(), want[len(want)-1]) {
					t.Fatalf("%q, %v; want %q", said, err, want)
				}
				want = want[:len(want)-1]
			} else if taken != len(v.in) {
				t.Errorf("took %d of %d bytes", taken, len(v.in))
			}
			if !reflect.DeepEqual(append([]string{}, said...), append([]string{}, want...)) {
				t.Fatalf("%.200q, %v; want %.200q", said, err, want)
			}
			for _, n := range []int{1, 2, 5, 13, 1 << 10} {
				if n < 13 && len(v.in) > 1<<12 {
					continue
				}
				said2, taken2, err2 := feed(t, starts[v.start](), v.in, func(int) int { return n })
				if !reflect.DeepEqual(said2, said) || fmt.Sprint(err2) != fmt.Sprint(err) || (err == nil && taken2 != taken) {
					t.Errorf("in pieces of %d: %.200q, %d, %v; whole: %.200q, %d, %v", n, said2, taken2, err2, said, taken, err)
				}
			}
		})
	}
}

// TestMemory: a body takes memory in proportion to its bytes, whatever is in it.
func TestMemory(t *testing.T) {
	for name, body := range map[string]func(n int) string{
		"names of jobs": func(n int) string { return `"jobs":["a"` + strings.Repeat(`,"a"`, n/4) + `]` },
		"fields":        func(n int) string { return `"new":{"a":1` + strings.Repeat(`,"a":1`, n/6) + `}` },
		"one field":     func(n int) string { return strings.TrimPrefix(strings.Repeat(`,"jobs":["a"]`, n/13), ",") },
		"a text":        func(n int) string { return `"program":"` + strings.Repeat("a", n) + `"` },
		"escapes":       func(n int) string { return `"program":"` + strings.Repeat(`\u0061`, n/6) + `"` },
		"depth":         func(n int) string { return `"new":` + strings.Repeat("[", n) },
	} {
		for _, n := range []int{MaxControlBytes / 16, MaxControlBytes - 64} {
			frame, m := hello(body(n)), starts["host, new"]()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = m.Next(frame)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(24*len(frame)) {
				t.Errorf("%s: %d bytes for a frame of %d", name, took, len(frame))
			}
		}
	}
}

// Append methods: what may be said when; a refusal changes nothing.
func TestAppend(t *testing.T) {
	type say func(m *Machine) ([]byte, error)
	dst := []byte("before")
	says := map[string]say{
		"host hello":   func(m *Machine) ([]byte, error) { return m.AppendHostHello(dst, HostHello{}) },
		"worker hello": func(m *Machine) ([]byte, error) { return m.AppendWorkerHello(dst, WorkerHello{}) },
		"job":          func(m *Machine) ([]byte, error) { return m.AppendJob(dst, "a", 1, false) },
		"memory job":   func(m *Machine) ([]byte, error) { return m.AppendJob(dst, "a", 1, true) },
		"cancel":       func(m *Machine) ([]byte, error) { return m.AppendCancel(dst) },
		"ping":         func(m *Machine) ([]byte, error) { return m.AppendPing(dst) },
		"result":       func(m *Machine) ([]byte, error) { return m.AppendResult(dst, 1, false) },
		"progress":     func(m *Machine) ([]byte, error) { return m.AppendProgress(dst, nil) },
		"error":        func(m *Machine) ([]byte, error) { return m.AppendError(dst, Failure{}) },
		"pong":         func(m *Machine) ([]byte, error) { return m.AppendPong(dst) },
	}
	allowed := map[string]string{
		"host, new":            "",
		"host, new, no memory": "",
		"host, idle":           "job, memory job, ping",
		"host, busy":           "cancel, ping",
		"worker, new":          "error",
		"worker, met":          "worker hello, error",
		"worker, idle":         "",
		"worker, busy":         "result, progress, error",
	}
	for start, make := range starts {
		for name, say := range says {
			m, same := make(), make()
			out, err := say(m)
			may := false
			for _, a := range strings.Split(allowed[start], ", ") {
				may = may || a == name
			}
			switch {
			case may && (err != nil || !bytes.HasPrefix(out, dst) || len(out) < len(dst)+HeaderBytes):
				t.Errorf("%s: %s: %q, %v", start, name, out, err)
			case !may && (err != ErrState || string(out) != string(dst) || !reflect.DeepEqual(m, same)):
				t.Errorf("%s: %s: %q, %v: not refused, or not without a change", start, name, out, err)
			}
		}
	}
}

func TestAppendSizes(t *testing.T) {
	for name, fails := range map[string]func() ([]byte, error){
		"long name": func() ([]byte, error) {
			return starts["host, idle"]().AppendJob(nil, strings.Repeat("x", 256), 0, false)
		},
		"no name":   func() ([]byte, error) { return starts["host, idle"]().AppendJob(nil, "", 0, false) },
		"payload":   func() ([]byte, error) { return starts["host, idle"]().AppendJob(nil, "a", limit+1, false) },
		"in memory": func() ([]byte, error) { return starts["host, idle"]().AppendJob(nil, "a", limit+1, true) },
		"negative":  func() ([]byte, error) { return starts["host, idle"]().AppendJob(nil, "a", -1, false) },
		"result":    func() ([]byte, error) { return starts["worker, busy"]().AppendResult(nil, limit+1, false) },
		"progress": func() ([]byte, error) {
			return starts["worker, busy"]().AppendProgress(nil, make([]byte, MaxProgressBytes+1))
		},
		"hello of many jobs": func() ([]byte, error) {
			return starts["worker, met"]().AppendWorkerHello(nil, WorkerHello{Jobs: make([]string, MaxJobs+1)})
		},
		"hello of jobs": func() ([]byte, error) {
			return starts["worker, met"]().AppendWorkerHello(nil, WorkerHello{Jobs: []string{strings.Repeat("x", MaxControlBytes)}})
		},
	} {
		if out, err := fails(); err != ErrSize || len(out) != 0 {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	// Text of any length and content makes an error that the host takes.
	for _, text := range []string{strings.Repeat("\x01", 1<<20), strings.Repeat("é", 1<<20), "\xff"} {
		out, err := starts["worker, busy"]().AppendError(nil, Failure{Kind: Failed, Message: text, Stack: text})
		if err != nil {
			t.Fatal(err)
		}
		if event, err := starts["host, busy"]().Next(out); err != nil || event.Failure.Message == "" {
			t.Errorf("%v, %d bytes", err, len(event.Failure.Message))
		}
	}
	// A worker without memory to use says so.
	m := NewWorker()
	hears(m, raw(Hello, 0, 0, `{"protocol":1}`))
	if out, err := m.AppendWorkerHello(nil, WorkerHello{Memory: true}); err != nil || bytes.Contains(out, []byte("memory")) || m.Memory() {
		t.Errorf("%s, %v", out, err)
	}
}

// Two machines talk: each says what the other understands.
func TestBackToBack(t *testing.T) {
	host, worker := NewHost(), NewWorker()
	pass := func(to *Machine) func(frame []byte, err error) Event {
		return func(frame []byte, err error) Event {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			event, err := to.Next(frame)
			if err != nil || event.N != len(frame) {
				t.Fatal(event, err)
			}
			return event
		}
	}
	toWorker, toHost := pass(worker), pass(host)
	toWorker(host.AppendHostHello(nil, HostHello{MaxPayloadBytes: limit, Memory: &Memory{3, 4, limit}}))
	toHost(worker.AppendWorkerHello(nil, WorkerHello{Jobs: []string{"a"}, Memory: true}))
	if !host.Ready() || !worker.Ready() || !host.Memory() || !worker.Memory() {
		t.Fatal("not ready")
	}
	for i := uint32(1); i <= 3; i++ {
		inMemory := i == 2
		if e := toWorker(appendPayload(inMemory, "in")(host.AppendJob(nil, "a", 2, inMemory))); e.Number != i || e.Memory != inMemory {
			t.Errorf("%+v", e)
		}
		toWorker(host.AppendPing(nil))
		if host.Unanswered() != 1 {
			t.Error("no ping waits")
		}
		toHost(worker.AppendProgress(nil, []byte("half")))
		toHost(worker.AppendPong(nil))
		toWorker(host.AppendCancel(nil))
		if e := toHost(appendPayload(inMemory, "out")(worker.AppendResult(nil, 3, inMemory))); e.Number != i || e.Memory != inMemory {
			t.Errorf("%+v", e)
		}
		if host.Busy() || worker.Busy() || host.Unanswered() != 0 || host.Answered() != int(i) || host.Partial() {
			t.Error("not idle")
		}
	}
}

func appendPayload(inMemory bool, payload string) func([]byte, error) ([]byte, error) {
	return func(frame []byte, err error) ([]byte, error) {
		if inMemory {
			return frame, err
		}
		return append(frame, payload...), err
	}
}

func TestErrorTypes(t *testing.T) {
	var version *VersionError
	_, err := starts["host, new"]().Next(raw(Hello, 0, 0, `{"protocol":9}`))
	if !errors.As(err, &version) || version.Peer != 9 {
		t.Error(err)
	}
	var peer *PeerError
	if _, err = NewHost().Next([]byte("x")); !errors.As(err, &peer) {
		t.Error(err)
	}
	if Hello.String() != "Hello" || Type(77).String() != "Type(77)" {
		t.Error("names of types")
	}
}

// FuzzNext: no panic, split invariance, the bound.
func FuzzNext(f *testing.F) {
	names := []string{"host, new", "host, new, no memory", "host, idle", "host, busy", "worker, new", "worker, met", "worker, idle", "worker, busy"}
	for _, v := range vectors {
		for i, name := range names {
			if name == v.start && len(v.in) < 1<<12 {
				f.Add(byte(i), v.in, []byte{byte(len(v.in)), 0, 3})
			}
		}
	}
	f.Fuzz(func(t *testing.T, start byte, in, cuts []byte) {
		if len(in) > 1<<14 {
			return
		}
		name := names[int(start)%len(names)]
		said, taken, err := feed(t, starts[name](), in, whole)
		at := 0
		for _, next := range []func(int) int{
			func(int) int { return 1 },
			func(rest int) int {
				if len(cuts) == 0 {
					return rest
				}
				at++
				return int(cuts[at%len(cuts)]) + 1
			},
		} {
			said2, taken2, err2 := feed(t, starts[name](), in, next)
			if !reflect.DeepEqual(said2, said) || fmt.Sprint(err2) != fmt.Sprint(err) || (err == nil && taken2 != taken) {
				t.Fatalf("%.200q, %d, %v; whole: %.200q, %d, %v", said2, taken2, err2, said, taken, err)
			}
		}
	})
}
