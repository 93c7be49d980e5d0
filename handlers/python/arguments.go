package python

import (
	"fmt"
	"math"
	"time"
)

// arguments reads the payload of a call, whose form is up to the application. The first
// thing that is not of the form that is wanted is err; after it every value is zero.
type arguments struct {
	payload any
	err     error
}

func (a *arguments) wrong(v any, want string) {
	if a.err == nil {
		a.err = fmt.Errorf("%s where %s is wanted", typeName(v), want)
	}
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a str"
	case []byte:
		return "bytes"
	case map[string]any:
		return "a dict"
	}
	return "a list"
}

// list is a list or a tuple of n values. It always has n.
func (a *arguments) list(v any, n int) []any {
	list, ok := v.([]any)
	if !ok || len(list) != n {
		a.wrong(v, fmt.Sprintf("a tuple of %d values", n))
		return make([]any, n)
	}
	return list
}

func (a *arguments) dict(v any) map[string]any {
	dict, ok := v.(map[string]any)
	if !ok {
		a.wrong(v, "a dict")
	}
	return dict
}

func (a *arguments) text(v any) string {
	text, ok := v.(string)
	if !ok {
		a.wrong(v, "a str")
	}
	return text
}

func (a *arguments) bytes(v any) []byte {
	data, ok := v.([]byte)
	if !ok {
		a.wrong(v, "bytes")
	}
	return data
}

// number is an integer that is not negative.
func (a *arguments) number(v any) int64 {
	n, ok := v.(int64)
	if !ok || n < 0 {
		a.wrong(v, "an int that is not negative")
		return 0
	}
	return n
}

func (a *arguments) strings(v any) []string {
	list, ok := v.([]any)
	if !ok {
		a.wrong(v, "a list of str")
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = a.text(list[i])
	}
	return texts
}

// option is a text of a dict; None and nothing are "".
func (a *arguments) option(dict map[string]any, key string) string {
	if dict[key] == nil {
		return ""
	}
	return a.text(dict[key])
}

// flag is a bool of a dict; None and nothing are false.
func (a *arguments) flag(dict map[string]any, key string) bool {
	v := dict[key]
	flag, ok := v.(bool)
	if !ok && v != nil {
		a.wrong(v, "a bool")
	}
	return flag
}

// seconds is a time of a dict; None and nothing are 0.
func (a *arguments) seconds(dict map[string]any, key string) time.Duration {
	seconds := 0.0
	switch v := dict[key].(type) {
	case nil:
	case int64:
		seconds = float64(v)
	case float64:
		seconds = v
	default:
		a.wrong(v, "a number of seconds")
	}
	if math.IsNaN(seconds) || seconds < 0 {
		a.wrong(dict[key], "a number of seconds that is not negative")
		return 0
	}
	return time.Duration(min(seconds, 1e9) * float64(time.Second))
}
