package chat_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/chat"
)

// FuzzRequest has a client send any messages, one on each line: the chat never
// panics, answers in JSON, and another member is not harmed.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"type":"join","room":"lobby","epoch":"x","seq":18446744073709551615}`,
		"{\"type\":\"join\",\"room\":\"attic\"}\n{\"type\":\"say\",\"room\":\"attic\",\"id\":\"1\",\"text\":\"\\u2028<\"}\n{\"type\":\"leave\",\"room\":\"attic\"}",
		`{"type":"name","name":"Watcher"}`,
		"{\"type\":\"ping\",\"t\":[1e400,null]}\n{\"type\":\"rooms\"}",
		"{\n\n\n\n\n\n\n\n\n\n\n\n{",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		p := newParty(t, chat.Config{MaxRooms: 3, HistoryMessages: 2, MaxMembersPerRoom: 2})
		watcher := p.enter("Watcher", "lobby")
		fuzzed := p.enter("Fuzzed", "lobby")
		for line := range bytes.SplitSeq(script, []byte("\n")) {
			fuzzed.x.Deliver(&asgi.WebSocketReceive{Kind: asgi.Text, Data: line})
		}
		for _, ev := range fuzzed.x.Sent() {
			if send, ok := ev.(*asgi.WebSocketSend); ok && !json.Valid(send.Data) {
				t.Errorf("sent %q", send.Data)
			}
		}
		watcher.next()
		if err := fuzzed.x.Err(); err != nil {
			t.Errorf("ended with %v", err)
		}
		watcher.say(`{"type":"ping","t":1}`)
		watcher.want(`{"type":"pong","t":1}`)
	})
}
