package wire

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// control reads a message with one frame.
func control(p []byte) (any, error) {
	r := NewReader(p[HeadBytes:])
	if r.Frames() != 1 {
		return nil, errors.New("not one frame")
	}
	frame, err := r.Control()
	if err == nil && r.Rest() > 0 {
		err = errors.New("there is more")
	}
	return frame, err
}

var controls = map[string]struct {
	kind   int
	fields []any
	want   any
}{
	"ready": {kindReady, []any{1, map[string]any{
		"python": "3.11.2", "implementation": "cpython", "mode": "wsgi", "loop": "uvloop", "lifespan": true, "jobs": []string{"a", "b"}, "new": Tuple{1.5, nil},
	}}, &Ready{1, "3.11.2", "cpython", "wsgi", "uvloop", true, []string{"a", "b"}}},
	"failed":  {kindFailed, []any{"import", "no é", "trace\n", ""}, &Failed{"import", "no é", "trace\n", ""}},
	"pong":    {kindPong, []any{1 << 40, 7, 0.5}, &Pong{1 << 40, 7, 0.5}},
	"blocked": {kindBlocked, []any{2, "stack", "/path"}, &Blocked{2, "stack", "/path"}},
	"call":    {kindCall, []any{-5, "publish", Tuple{"c", []byte("d"), map[string]any{"a": []any{nil, false}}}}, &Call{-5, "publish", []any{"c", []byte("d"), map[string]any{"a": []any{nil, false}}}}},
	"result":  {kindResult, []any{3, true, []byte("v")}, &Result{ID: 3, OK: true, Value: []byte("v")}},
	"error":   {kindResult, []any{3, false, Tuple{"failed", "why"}}, &Result{ID: 3, Kind: "failed", Message: "why"}},
	"stopped": {kindStopped, []any{"reason"}, &Stopped{"reason"}},
}

func TestControl(t *testing.T) {
	for name, c := range controls {
		p := AppendControl(nil, c.kind, c.fields...)
		if got, err := control(p); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for n := HeadBytes; n < len(p); n++ { // cut anywhere, it is refused
			if got, err := control(p[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are %+v", name, n, len(p), got)
			}
		}
	}
}

func TestControlRefused(t *testing.T) {
	deep := any([]any{})
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	for name, p := range map[string][]byte{
		"kind 0":             AppendControl(nil, 0),
		"an unknown kind":    AppendControl(nil, 8, "x"),
		"too few fields":     AppendControl(nil, kindPong, 1, 2),
		"too many fields":    AppendControl(nil, kindStopped, "", ""),
		"other types":        AppendControl(nil, kindFailed, "a", []byte("b"), "c", "d"),
		"a negative time":    AppendControl(nil, kindBlocked, -1.0, "", ""),
		"no time":            AppendControl(nil, kindBlocked, math.NaN(), "", ""),
		"an endless time":    AppendControl(nil, kindBlocked, math.Inf(1), "", ""),
		"negative streams":   AppendControl(nil, kindPong, 1, -1, 0.0),
		"a key that is none": append(AppendDict(AppendText(AppendInt(AppendInt(AppendTuple(AppendList(make([]byte, HeadBytes), 1), 4), kindCall), 1), "m")), 'N', 'N', '0'),
		"too deep":           AppendControl(nil, kindCall, 1, "m", deep),
		"an error alone":     AppendControl(nil, kindResult, 1, false, Tuple{"failed"}),
		"not text":           AppendControl(nil, kindStopped, 1),
	} {
		if got, err := control(p); !errors.Is(err, ErrMessage) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAppendValuePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	AppendValue(nil, struct{}{})
}

func FuzzControl(f *testing.F) {
	for _, c := range controls {
		f.Add(AppendControl(nil, c.kind, c.fields...)[HeadBytes:])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r := NewReader(p)
		for range r.Frames() {
			frame, err := r.Control()
			if (err == nil) == (frame == nil) || err != nil && !errors.Is(err, ErrMessage) {
				t.Fatalf("%+v, %v", frame, err)
			}
			if err != nil {
				return
			}
		}
	})
}
