package hub_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// payloads are what a reader may fail at. Those that are JSON and no good as such are
// refused where a client says that they are JSON, on every path, and elsewhere carried
// as what they are: bytes.
var payloads = []struct {
	name, bytes string
	as          string // the key under which readers get it
}{
	{"JSON", `{"a":[1,"\u2028"]}`, "data"},
	{"64 levels", strings.Repeat("[", 64) + strings.Repeat("]", 64), "data"},
	{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), "text"},
	{"9,999 levels", strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999), "text"},
	{"10,000 levels", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "text"},
	{"10,000 levels without an end", strings.Repeat("[", 10_000), "text"},
	{"10,000 objects", strings.Repeat(`{"":`, 10_000), "text"},
	{"no UTF-8", "\"\xff\"", "base64"},
	{"a surrogate in UTF-8", "\"\xed\xa0\x80\"", "base64"},
	{"half a surrogate pair", `"\ud800"`, "text"},
	{"a key twice", `{"a":1,"a":2}`, "text"},
	{"a key twice, in two spellings", `{"a":1,"\u0061":2}`, "text"},
	{"a number out of range", `1e999`, "text"},
	{"a number of 5,000 digits", strings.Repeat("9", 5_000), "text"},
	{"a line separator", "\"\u2028\"", "data"},
	{"NUL", "\"\x00\"", "text"},
	{"NUL as an escape", `"\u0000"`, "data"},
	{"lines", "a\r\ndata: b\r\n\r\nid: c", "text"},
	{"60,000 characters", `"` + strings.Repeat("x", 60_000) + `"`, "data"},
	{"nothing", "", "text"},
}

// No message that can be published makes a reader fail, whichever way it came.
func TestPayloads(t *testing.T) {
	onMisuseOf(t, 64<<10, func(m *misuse) {
		e := exile{m}
		ann := token("HS256", misuseSecret, "ann", time.Now().Add(time.Hour), `,"channels":{"subscribe":["a:*"],"publish":["a:*"]}`)
		ways := map[string]func(body string) (refused bool, answer string){
			"publish": func(body string) (bool, string) {
				status, answer := e.get("POST", "/hub/publish?token="+ann, body)
				return status == 400, answer
			},
			"api": func(body string) (bool, string) {
				status, answer := e.get("POST", "/hub/api/publish", body, "Authorization", "Bearer "+misuseKey)
				return status == 400, answer
			},
			"batch": func(body string) (bool, string) {
				status, answer := e.get("POST", "/hub/api/batch", `{"publications":[`+body+`]}`, "Authorization", "Bearer "+misuseKey)
				return status == 400 || strings.Contains(answer, "bad_request"), answer
			},
			"websocket": func(body string) (bool, string) {
				c := e.dial()
				defer c.Close()
				say(t, c, fmt.Sprintf(`{"id":1,"connect":{"token":%q}}`, ann))
				say(t, c, `[{"id":2,"publish":`+body+`}]`)
				read := listen(t, c)
				_, _ = read()
				o, err := read()
				if err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				return o["error"] != nil, string(text)
			},
		}
		for i, p := range payloads {
			channel := fmt.Sprint("a:", i)
			published := 0
			if _, err := m.hub.PublishOne(hub.Publication{Channel: channel, Data: []byte(p.bytes)}); err != nil {
				t.Fatal(err)
			}
			published++
			for way, publish := range ways {
				encoded := base64.StdEncoding.EncodeToString([]byte(p.bytes))
				if refused, answer := publish(fmt.Sprintf(`{"channel":%q,"base64":%q}`, channel, encoded)); refused {
					t.Errorf("%s, base64 by %s: %s", p.name, way, answer)
				}
				published++
				if !json.Valid([]byte(p.bytes)) || p.as == "base64" { // which the engine refuses
					continue
				}
				refused, answer := publish(fmt.Sprintf(`{"channel":%q,"data":%s}`, channel, p.bytes))
				if refused != (p.as != "data") {
					t.Errorf("%s, data by %s: %.200s", p.name, way, answer)
				}
				if !refused {
					published++
				}
			}
			e.read(p.name, channel, p.as, published, ann)
		}
		e.lost()
	})
}

// read reads a channel over each transport, and looks for so many messages, each with
// its payload under a key.
func (e exile) read(name, channel, as string, published int, token string) {
	e.t.Helper()
	look := func(where, body string) {
		e.t.Helper()
		var all struct {
			Messages []map[string]any
			History  struct{ Messages []map[string]any }
		}
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			e.t.Errorf("%s, %s: %v in %.300s", name, where, err, body)
			return
		}
		messages := append(all.Messages, all.History.Messages...)
		if len(messages) == 0 || len(messages) > published {
			e.t.Errorf("%s, %s: %d of %d messages", name, where, len(messages), published)
		}
		for _, m := range messages {
			if _, there := m[as]; !there {
				e.t.Errorf("%s, %s: no %s in %.300v", name, where, as, m)
				return
			}
		}
	}
	_, body := e.get("GET", "/hub/api/history?channel="+channel, "", "Authorization", "Bearer "+misuseKey)
	look("the API", body)
	_, body = e.get("GET", "/hub/poll?last=100&wait=0&ch="+channel+"&token="+token, "")
	look("a poll", body)
	c := e.dial()
	defer c.Close()
	say(e.t, c, fmt.Sprintf(`[{"id":1,"connect":{"token":%q}},{"id":2,"history":{"channel":%q}}]`, token, channel))
	read := listen(e.t, c)
	_, _ = read()
	o, err := read()
	if err != nil {
		e.t.Fatal(err)
	}
	look("a WebSocket", `{"history":`+string(o["history"])+`}`)
}
