package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// A key belongs to who publishes with it: a user over all transports, and the server.
// Nobody's message is swallowed because somebody else had the same key.
func TestKeysOfPublishers(t *testing.T) {
	onMisuse(t, func(m *misuse) {
		e := exile{m}
		publisher := func(user string) string {
			return token("HS256", misuseSecret, user, time.Now().Add(time.Hour), `,"channels":{"subscribe":["a:*"],"publish":["a:*"]}`)
		}
		const body = `{"channel":"a:1","key":"k","text":"x"}`
		posted := func(path, token string) string {
			status, answer := e.get("POST", path, body, "Authorization", "Bearer "+token)
			if status != 200 {
				t.Fatalf("%s: %d %s", path, status, answer)
			}
			return answer
		}
		over := func(token string) string {
			c := e.dial()
			defer c.Close()
			say(t, c, fmt.Sprintf(`[{"id":1,"connect":{"token":%q}},{"id":2,"publish":%s}]`, token, body))
			read := listen(t, c)
			if _, err := read(); err != nil {
				t.Fatal(err)
			}
			o, err := read()
			if err != nil || o["published"] == nil {
				t.Fatalf("%s, %v", o, err)
			}
			return string(o["published"])
		}
		ann, bob := publisher("ann"), publisher("bob")
		for i, publication := range []struct {
			who, answer string
			offset      int
			duplicate   bool
		}{
			{"ann by POST", posted("/hub/publish", ann), 1, false},
			{"ann over a WebSocket", over(ann), 1, true},
			{"bob over a WebSocket", over(bob), 2, false},
			{"bob by POST", posted("/hub/publish", bob), 2, true},
			{"the server", posted("/hub/api/publish", misuseKey), 3, false},
			{"the server again", posted("/hub/api/publish", misuseKey), 3, true},
			{"ann again", posted("/hub/publish", ann), 1, true},
		} {
			want := fmt.Sprintf(`"offset":%d`, publication.offset)
			if !strings.Contains(publication.answer, want) || strings.Contains(publication.answer, "duplicate") != publication.duplicate {
				t.Errorf("%d, %s: %s", i, publication.who, publication.answer)
			}
		}
	})
}

// Who has no name has the keys of its address, and none of them is the server's, nor a
// user's.
func TestKeysOfAddresses(t *testing.T) {
	h := newHub(t, hub.Config{PublishRate: -1})
	offset := func(who *hub.Identity) (offset uint64) {
		p := hub.Publication{Channel: "a", Key: "k", KeyScope: "what a client cannot say"}
		if who == nil {
			p.KeyScope = ""
			r, err := h.PublishOne(p)
			if err != nil {
				t.Fatal(err)
			}
			return r.Offset
		}
		who.Grants = hub.Everything
		h.PublishAs(who, p, func(r hub.Result) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			offset = r.Offset
		})
		return offset
	}
	for range 2 {
		for i, who := range []*hub.Identity{nil, {}, {Address: "192.0.2.1"}, {Address: "192.0.2.2"}, {User: "192.0.2.1"}, {User: "ann", Address: "192.0.2.1"}} {
			if got := offset(who); got != uint64(i+1) {
				t.Errorf("%+v: offset %d, want %d", who, got, i+1)
			}
		}
	}
}
