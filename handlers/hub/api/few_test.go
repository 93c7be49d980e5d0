package api

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestWideTags: an object of too many keys is refused before a map is made of it.
func TestWideTags(t *testing.T) {
	var b strings.Builder
	for i := range 80_000 {
		fmt.Fprintf(&b, `"%d":"",`, i)
	}
	body := []byte(`{"text":"a","tags":{` + b.String() + `"":""}}`)
	var request content
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := decode(body, &request)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "8192") || request.Tags != nil {
		t.Errorf("%v, %d tags", err, len(request.Tags))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(2*len(body)) {
		t.Errorf("%d bytes for a body of %d", n, len(body))
	}
}

// TestWideBody decodes bodies of 1 MiB with as many of the smallest values as they
// hold: what is above the limit takes no memory.
func TestWideBody(t *testing.T) {
	list := func(value string) string {
		return "[" + strings.Repeat(value+",", 1<<20/(len(value)+1)) + value + "]"
	}
	for name, decodes := range map[string]func() error{
		"publications": func() error {
			request := publications{few[item]{most: 1000}}
			if err := decode([]byte(`{"publications":`+list("{}")+`}`), &request); err != nil {
				return err
			}
			return request.Publications.check()
		},
		"channels": func() error {
			var request struct {
				Channels few[string] `json:"channels"`
			}
			request.Channels.most = 1000
			if err := decode([]byte(`{"channels":`+list(`""`)+`}`), &request); err != nil {
				return err
			}
			return request.Channels.check()
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decodes()
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "1 to 1000") {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 { // the text itself several times
			t.Errorf("%s: %d bytes for a body of 1 MiB", name, n)
		}
	}
}
