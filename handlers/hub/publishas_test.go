package hub_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/handlers/hub"
)

// Who has no connection publishes as far as the identity goes, and the rate of the
// user, or of the address.
func TestPublishAs(t *testing.T) {
	var now clock
	h := newHub(t, hub.Config{PublishRate: 1, PublishBurst: 2, Now: now.read})
	grants := hub.Grants{Publish: []string{"a*"}}
	who := map[string]*hub.Identity{
		"x": {User: "ada", Address: "192.0.2.1", Grants: grants},
		"y": {User: "ada", Address: "192.0.2.2", Grants: grants},
		"z": {Address: "192.0.2.1", Grants: grants},
	}
	publish := func(sender, channel string) (got string) {
		h.PublishAs(who[sender], hub.Publication{Channel: channel, Data: []byte("1"), Publisher: "eve"}, func(r hub.Result) {
			got = fmt.Sprint(r.Offset)
			if r.Err != nil {
				got = string(hub.AsError(r.Err).Code)
			}
		})
		return got
	}
	for _, c := range []struct{ sender, channel, want string }{
		{"x", "b", "not_allowed"},
		{"x", "a b", "bad_channel"},
		{"x", "a", "1"},
		{"x", "a", "2"},
		{"x", "a", "too_fast"},
		{"y", "a", "too_fast"},
		{"z", "a", "3"},
	} {
		if got := publish(c.sender, c.channel); got != c.want {
			t.Errorf("%s in %q: %s, want %s", c.sender, c.channel, got, c.want)
		}
	}
	now.pass(time.Second)
	if got := publish("x", "a"); got != "4" {
		t.Errorf("a second later: %s", got)
	}
	h.History("a", hub.Position{}, hub.Limit{Messages: -1, Bytes: -1}, func(h hub.History, err error) {
		for _, m := range h.Messages {
			if m.Publisher != "ada" && m.Offset != 3 {
				t.Errorf("published by %q", m.Publisher)
			}
		}
	})
}

// A payload is put as JSON only if it is UTF-8 as well: WebSockets and browsers end a
// connection for a single byte that is not.
func TestJSONIsUTF8(t *testing.T) {
	h := newHub(t, hub.Config{})
	for _, data := range []string{"\"\xff\"", "{\"\xc0\xaf\":1}", "\xff"} {
		publish(t, h, "a", data)
	}
	h.History("a", hub.Position{}, hub.Limit{Messages: -1, Bytes: -1}, func(h hub.History, err error) {
		for _, m := range h.Messages {
			var got struct{ Base64 []byte }
			text := m.Encoded(hub.JSON)
			if err := json.Unmarshal(text, &got); err != nil || !utf8.Valid(text) || string(got.Base64) != string(m.Data) {
				t.Errorf("%q is put as %q", m.Data, text)
			}
		}
	})
}
