package hub_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/gale-server/gale/handlers/hub"
)

// exile is somebody on all transports, who is thrown out over the API.
type exile struct{ *misuse }

// issued makes a token of bob that was issued at a time.
func (e exile) issued(at time.Time) string {
	return token("HS256", misuseSecret, "bob", time.Now().Add(time.Hour),
		fmt.Sprintf(`,"iat":%d,"channels":{"subscribe":["room"],"publish":["a:*"]}`, at.Unix()))
}

// get returns the status and the body of a request, of a stream the first line.
func (e exile) get(method, target, body string, fields ...string) (int, string) {
	e.t.Helper()
	q, err := http.NewRequest(method, "http://"+e.Addr+target, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		q.Header.Set(fields[i], fields[i+1])
	}
	r, err := e.Client.Do(q)
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.Header.Get("Content-Type") == "text/event-stream" {
		return r.StatusCode, ""
	}
	p, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return r.StatusCode, string(p)
}

// api asks the API for something.
func (e exile) api(path, body string) {
	e.t.Helper()
	if status, answer := e.get("POST", "/hub/api"+path, body, "Authorization", "Bearer "+misuseKey); status != 200 {
		e.t.Fatalf("%s: %d %s", path, status, answer)
	}
}

// cursorOf returns the cursor of an answer to a poll.
func cursorOf(t *testing.T, body string) string {
	t.Helper()
	_, rest, _ := strings.Cut(body, `"cursor":"`)
	cursor, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no cursor in %s", body)
	}
	return cursor
}

// in tries to come in with a token over every transport, and returns the code of each
// error, of which "" is none.
func (e exile) in(token string) map[string]hub.ErrorCode {
	e.t.Helper()
	codes := map[string]hub.ErrorCode{}
	code := func(status int, body string) hub.ErrorCode {
		_, rest, _ := strings.Cut(body, `"code":"`)
		word, _, _ := strings.Cut(rest, `"`)
		if word == "" && status != 200 {
			e.t.Errorf("%d %s", status, body)
		}
		return hub.ErrorCode(word)
	}
	codes["poll"] = code(e.get("GET", "/hub/poll?ch=room&wait=0&token="+token, ""))
	codes["sse"] = code(e.get("GET", "/hub/sse?ch=room&token="+token, ""))
	codes["publish"] = code(e.get("POST", "/hub/publish?token="+token, `{"channel":"a:1","text":"x"}`))
	c := e.dial()
	defer c.Close()
	say(e.t, c, fmt.Sprintf(`[{"id":1,"connect":{"token":%q,"session":"the-session-of-bob"}},{"id":2,"subscribe":{"channel":"room"}}]`, token))
	read := listen(e.t, c)
	codes["websocket"] = ""
	for range 2 { // of one that is refused there is one reply only
		o, err := read()
		if err != nil {
			break
		}
		if o["error"] != nil {
			codes["websocket"] = code(0, string(o["error"]))
			break
		}
	}
	return codes
}

// A user who was disconnected comes in again only with what was issued afterwards, over
// whichever transport, and also if the user has a cursor, an ID of an event or a
// session.
func TestDisconnectedForGood(t *testing.T) {
	onMisuse(t, func(m *misuse) {
		e := exile{m}
		old := e.issued(time.Now().Add(-time.Minute))
		_, body := e.get("GET", "/hub/poll?ch=room&wait=0&token="+old, "")
		cursor := cursorOf(t, body)
		c := e.dial()
		say(t, c, fmt.Sprintf(`{"id":1,"connect":{"token":%q,"session":"the-session-of-bob"}}`, old))
		read := listen(t, c)
		if o, err := read(); err != nil || o["connected"] == nil {
			t.Fatalf("%s, %v", o, err)
		}
		for where, code := range e.in(old) {
			if code != "" {
				t.Fatalf("at first, %s: %s", where, code)
			}
		}
		c = e.dial()
		say(t, c, fmt.Sprintf(`{"id":1,"connect":{"token":%q}}`, old))
		read = listen(t, c)
		if o, err := read(); err != nil || o["connected"] == nil {
			t.Fatalf("%s, %v", o, err)
		}

		e.api("/disconnect", `{"user":"bob"}`)
		if _, err := read(); !websocket.IsCloseError(err, 4410) {
			t.Errorf("the WebSocket: %v", err)
		}
		for _, was := range []string{"cursor=" + cursor, "cursor=" + cursor + "&token=" + old} {
			if status, body := e.get("GET", "/hub/poll?ch=room&wait=0&"+was, ""); status != 401 {
				t.Errorf("the cursor, %s: %d %s", was, status, body)
			}
		}
		if status, body := e.get("GET", "/hub/poll?ch=room&wait=0", "", "If-None-Match", `"`+cursor+`"`); status != 401 {
			t.Errorf("the tag: %d %s", status, body)
		}
		if status, body := e.get("GET", "/hub/sse?ch=room&token="+old, "", "Last-Event-ID", cursor); status != 401 {
			t.Errorf("the ID of an event: %d %s", status, body)
		}
		for where, code := range e.in(old) {
			if code != hub.TokenExpired {
				t.Errorf("with the old token, %s: %q", where, code)
			}
		}
		undated := token("HS256", misuseSecret, "bob", time.Now().Add(time.Hour), `,"channels":{"subscribe":["room"],"publish":["a:*"]}`)
		for where, code := range e.in(undated) {
			if code != hub.TokenExpired {
				t.Errorf("with a token that does not say when it was issued, %s: %q", where, code)
			}
		}
		fresh := e.issued(time.Now().Add(2 * time.Second)) // within the leeway of clocks
		for where, code := range e.in(fresh) {
			if code != "" {
				t.Errorf("with a new token, %s: %q", where, code)
			}
		}
		if status, body := e.get("GET", "/hub/poll?ch=room&wait=0&cursor="+cursor+"&token="+fresh, ""); status != 200 {
			t.Errorf("the old cursor with a new token: %d %s", status, body)
		}
		e.lost() // nobody else notices
	})
}

// A user who was unsubscribed does not read on in the channel, over any transport.
func TestUnsubscribedForGood(t *testing.T) {
	onMisuse(t, func(m *misuse) {
		e := exile{m}
		old := e.issued(time.Now().Add(-time.Minute))
		_, body := e.get("GET", "/hub/poll?ch=room&wait=0&token="+old, "")
		cursor := cursorOf(t, body)
		e.api("/unsubscribe", `{"user":"bob","channel":"room"}`)
		if status, body := e.get("GET", "/hub/poll?ch=room&wait=0&cursor="+cursor, ""); status != 401 && status != 403 {
			t.Errorf("the cursor: %d %s", status, body)
		}
		for where, code := range e.in(old) {
			wanted := hub.NotAllowed
			if where == "publish" {
				wanted = ""
			}
			if code != wanted {
				t.Errorf("with the old token, %s: %q", where, code)
			}
		}
		for where, code := range e.in(e.issued(time.Now().Add(2 * time.Second))) {
			if code != "" {
				t.Errorf("with a new token, %s: %q", where, code)
			}
		}
		e.lost()
	})
}
