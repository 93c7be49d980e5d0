package socket_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// FuzzCommands has a client send any messages, one on each line: nothing panics,
// what is answered is JSON, and another client is not harmed.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{
		"{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"after\":{}}}\n{\"id\":3,\"publish\":{\"channel\":\"a\",\"text\":\"\\u2028<\"}}",
		"[{\"id\":2,\"subscribe\":{\"channel\":\"*\",\"last\":3,\"tags\":{\"a\":\"b\"}}},{\"id\":2,\"unsubscribe\":{\"channel\":\"*\"}}]",
		"{\"id\":2,\"subscribe\":{\"channel\":\"p:a\",\"presence\":true,\"member\":true}}\n{\"id\":9,\"members\":{\"channel\":\"p:a\"}}",
		"{\"id\":4,\"history\":{\"channel\":\"b\",\"after\":{\"epoch\":\"x\",\"offset\":18446744073709551615}}}",
		"{\"id\":4,\"refresh\":{\"token\":\"until 1000500 Fuzzed\"}}\n{\"id\":1,\"publish\":{\"channel\":\"b\",\"data\":1e400,\"key\":\"k\",\"ttl\":1}}",
		"{\n\n\n\n\n\n\n\n\n\n\n\n{",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if !utf8.Valid(script) {
			return // the engine lets none through
		}
		p := newPlace(t, hub.Config{}, socket.Config{Authenticate: hub.Anyone(hub.Everything)})
		watcher := p.enter("", "b")
		fuzzed := p.enter("", "b")
		p.raw = true
		for line := range bytes.SplitSeq(script, []byte("\n")) {
			fuzzed.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Text, Data: line})
		}
		for _, ev := range fuzzed.x.Sent() {
			if send, ok := ev.(*asgi.WebSocketSend); ok && (!json.Valid(send.Data) || !utf8.Valid(send.Data)) {
				t.Errorf("sent %q", send.Data)
			}
		}
		fuzzed.next()
		watcher.next()
		if err := fuzzed.x.Err(); err != nil {
			t.Errorf("ended with %v", err)
		}
		p.raw = false
		watcher.say(`{"id":99,"ping":{}}`)
		watcher.want(`{"id":99,"pong":{}}`)
	})
}
