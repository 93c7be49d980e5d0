package python

// TEMPORARY until internal/wire is on main.

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

const (
	controlHello = 1 + iota
	controlLink
	controlPing
	controlStop
	controlJob
	controlCancel
	controlReply
	controlDrain
)

const (
	controlReady = 1 + iota
	controlFailed
	controlPong
	controlBlocked
	controlCall
	controlResult
	controlStopped
)

type tuple []any

func appendControl(dst []byte, kind int, fields ...any) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendValue(dst, []any{append(tuple{int64(kind)}, fields...)})
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendValue(dst []byte, v any) []byte {
	u32 := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	switch v := v.(type) {
	case nil:
		return append(dst, 'N')
	case bool:
		if v {
			return append(dst, 'T')
		}
		return append(dst, 'F')
	case int:
		return appendValue(dst, int64(v))
	case int64:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			return append(append(dst, 'i'), u32(int(int32(v)))...)
		}
		neg := v < 0
		u := uint64(v)
		if neg {
			u = -u
		}
		var digits []byte
		n := 0
		for u > 0 {
			digits = binary.LittleEndian.AppendUint16(digits, uint16(u&0x7fff))
			u >>= 15
			n++
		}
		if neg {
			n = -n
		}
		return append(append(append(dst, 'l'), u32(n)...), digits...)
	case float64:
		return binary.LittleEndian.AppendUint64(append(dst, 'g'), math.Float64bits(v))
	case []byte:
		return append(append(append(dst, 's'), u32(len(v))...), v...)
	case string:
		return append(append(append(dst, 'u'), u32(len(v))...), v...)
	case []any:
		dst = append(append(dst, '['), u32(len(v))...)
		for _, e := range v {
			dst = appendValue(dst, e)
		}
		return dst
	case tuple:
		dst = append(append(dst, '('), u32(len(v))...)
		for _, e := range v {
			dst = appendValue(dst, e)
		}
		return dst
	case map[string]any:
		dst = append(dst, '{')
		for k, e := range v {
			dst = appendValue(appendValue(dst, k), e)
		}
		return append(dst, '0')
	case map[string]string:
		dst = append(dst, '{')
		for k, e := range v {
			dst = appendValue(appendValue(dst, k), e)
		}
		return append(dst, '0')
	case []string:
		dst = append(append(dst, '['), u32(len(v))...)
		for _, e := range v {
			dst = appendValue(dst, e)
		}
		return dst
	}
	panic("value")
}

var errValue = errors.New("a value that is not allowed")

func decodeValue(p []byte, depth int) (v any, rest []byte, err error) {
	if len(p) == 0 || depth > 16 {
		return nil, nil, errValue
	}
	code := p[0]
	p = p[1:]
	size := func(width int) (int, bool) {
		if len(p) < width {
			return 0, false
		}
		n := int(p[0])
		if width == 4 {
			n = int(binary.LittleEndian.Uint32(p))
		}
		p = p[width:]
		return n, n <= len(p)
	}
	switch code {
	case 'N':
		return nil, p, nil
	case 'T':
		return true, p, nil
	case 'F':
		return false, p, nil
	case '0':
		return errValue, p, nil // the end of a dict
	case 'i':
		if len(p) < 4 {
			return nil, nil, errValue
		}
		return int64(int32(binary.LittleEndian.Uint32(p))), p[4:], nil
	case 'g':
		if len(p) < 8 {
			return nil, nil, errValue
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(p)), p[8:], nil
	case 'l':
		if len(p) < 4 {
			return nil, nil, errValue
		}
		n := int(int32(binary.LittleEndian.Uint32(p)))
		p = p[4:]
		neg := n < 0
		if neg {
			n = -n
		}
		if n > 5 || len(p) < 2*n {
			return nil, nil, errValue
		}
		var u uint64
		for i := n - 1; i >= 0; i-- {
			u = u<<15 | uint64(binary.LittleEndian.Uint16(p[2*i:]))
		}
		if neg {
			return -int64(u), p[2*n:], nil
		}
		return int64(u), p[2*n:], nil
	case 's', 'u', 't', 'a':
		n, ok := size(4)
		if !ok {
			return nil, nil, errValue
		}
		if code == 's' {
			return append([]byte{}, p[:n]...), p[n:], nil
		}
		return string(p[:n]), p[n:], nil
	case 'z', 'Z':
		n, ok := size(1)
		if !ok {
			return nil, nil, errValue
		}
		return string(p[:n]), p[n:], nil
	case '(', '[', ')':
		width := 4
		if code == ')' {
			width = 1
		}
		n, ok := size(width)
		if !ok {
			return nil, nil, errValue
		}
		list := []any{}
		for range n {
			var e any
			if e, p, err = decodeValue(p, depth+1); err != nil {
				return nil, nil, err
			}
			list = append(list, e)
		}
		return list, p, nil
	case '{':
		m := map[string]any{}
		for {
			var k, e any
			if k, p, err = decodeValue(p, depth+1); err != nil {
				return nil, nil, err
			}
			if k == errValue {
				return m, p, nil
			}
			if e, p, err = decodeValue(p, depth+1); err != nil {
				return nil, nil, err
			}
			key, ok := k.(string)
			if !ok {
				return nil, nil, errValue
			}
			m[key] = e
		}
	}
	return nil, nil, errors.New("code " + strconv.QuoteRune(rune(code)))
}

type (
	readyFrame  struct{ info info }
	failedFrame struct{ kind, message, trace, advice string }
	pongFrame   struct {
		n, streams int64
		blocked    float64
	}
	blockedFrame struct {
		seconds     float64
		stack, path string
	}
	callFrame struct {
		id      int64
		method  string
		payload any
	}
	resultFrame struct {
		id            int64
		ok            bool
		value         []byte
		kind, message string
	}
	stoppedFrame struct{ lifespan string }
)

var errFrame = errors.New("a frame that is not of the protocol")

func decodeMessage(p []byte, fn func(frame any) error) error {
	v, rest, err := decodeValue(p, 0)
	if err != nil || len(rest) > 0 {
		return errFrame
	}
	frames, ok := v.([]any)
	if !ok {
		return errFrame
	}
	for _, f := range frames {
		f, ok := f.([]any)
		if !ok {
			return errFrame
		}
		frame, err := typed(f)
		if err != nil {
			return err
		}
		if err := fn(frame); err != nil {
			return err
		}
	}
	return nil
}

func typed(f []any) (_ any, err error) {
	defer func() {
		if recover() != nil {
			err = errFrame
		}
	}()
	number := func(v any) float64 {
		if i, ok := v.(int64); ok {
			return float64(i)
		}
		return v.(float64)
	}
	switch f[0].(int64) {
	case controlReady:
		m := f[2].(map[string]any)
		i := info{Python: m["python"].(string), Implementation: m["implementation"].(string), Mode: m["mode"].(string), Loop: m["loop"].(string), Lifespan: m["lifespan"].(bool)}
		for _, j := range m["jobs"].([]any) {
			i.Jobs = append(i.Jobs, j.(string))
		}
		return readyFrame{i}, nil
	case controlFailed:
		return failedFrame{f[1].(string), f[2].(string), f[3].(string), f[4].(string)}, nil
	case controlPong:
		p := pongFrame{n: f[1].(int64), streams: f[2].(int64)}
		if len(f) > 3 {
			p.blocked = number(f[3])
		}
		return p, nil
	case controlBlocked:
		return blockedFrame{number(f[1]), f[2].(string), f[3].(string)}, nil
	case controlCall:
		return callFrame{f[1].(int64), f[2].(string), f[3]}, nil
	case controlResult:
		r := resultFrame{id: f[1].(int64), ok: f[2].(bool)}
		if r.ok {
			r.value = f[3].([]byte)
		} else {
			pair := f[3].([]any)
			r.kind, r.message = pair[0].(string), pair[1].(string)
		}
		return r, nil
	case controlStopped:
		return stoppedFrame{f[1].(string)}, nil
	}
	return nil, errFrame
}
