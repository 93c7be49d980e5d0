package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/asgitest"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/api"
	"github.com/gale-server/gale/handlers/internal/enginetest"
)

// Clients and a backend publish at the same time over real connections; each message
// has a place of its own.
func TestOnEngines(t *testing.T) {
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		h := newHub(t, hub.Config{PublishRate: -1, Channels: map[string]hub.Options{"": {HistoryMessages: 1000}}})
		mux := new(handlers.Mux)
		mux.HTTP("/hub/api/*", newServer(t, api.Config{Hub: h}))
		p, err := api.NewPublish(api.PublishConfig{Hub: h, Authenticate: hub.Anyone(hub.Everything)})
		if err != nil {
			t.Fatal(err)
		}
		mux.HTTP("/hub/publish", p)
		return mux
	}, func(t *testing.T, s *enginetest.Server) {
		do := func(method, path, body string) (int, string) {
			q, err := http.NewRequest(method, "http://"+s.Addr+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return 0, ""
			}
			q.Header.Set("Authorization", "Bearer "+keyA)
			r, err := s.Client.Do(q)
			if err != nil {
				t.Error(err)
				return 0, ""
			}
			defer r.Body.Close()
			answer, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			return r.StatusCode, string(answer)
		}
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := range 50 {
					path := [...]string{"/hub/publish", "/hub/api/publish"}[worker%2]
					if status, answer := do("POST", path, fmt.Sprintf(`{"channel":"a","data":[%d,%d]}`, worker, i)); status != 200 {
						t.Errorf("%s: %d %s", path, status, answer)
						return
					}
				}
			})
		}
		all.Wait()
		status, answer := do("GET", "/hub/api/history?channel=a&limit=1000", "")
		if status != 200 || !strings.Contains(answer, `"offset":200}`) {
			t.Fatalf("the history: %d %.300s", status, answer)
		}
		for worker := range 4 {
			before := 0
			for i := range 50 {
				at := strings.Index(answer, fmt.Sprintf(`"data":[%d,%d]`, worker, i))
				if at < before {
					t.Errorf("[%d,%d] is at %d, what was before it at %d", worker, i, at, before)
				}
				before = at
			}
		}
		// More than an outbox holds.
		large := strings.Repeat(`\u0000`, 60_000)
		for range 8 {
			if status, answer := do("POST", "/hub/api/publish", `{"channel":"large","text":"`+large+`"}`); status != 200 {
				t.Fatalf("%d %.300s", status, answer)
			}
		}
		if status, answer := do("GET", "/hub/api/history?channel=large", ""); status != 200 || strings.Count(answer, large) != 8 {
			t.Errorf("%d, %d bytes", status, len(answer))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// outlet notes how a client or its subscription ends.
type outlet struct{ ended, closed chan string }

func (*outlet) Messages(_ *hub.Subscription, batch []*hub.Message) int { return len(batch) }
func (*outlet) Gap(*hub.Subscription, hub.Gap)                         {}
func (*outlet) Presence(*hub.Subscription, hub.PresenceChange)         {}
func (o *outlet) Ended(s *hub.Subscription, e *hub.Error) {
	o.ended <- s.Channel() + " " + string(e.Code) + " " + e.Text
}
func (o *outlet) Close(e *hub.Error) { o.closed <- string(e.Code) + " " + e.Text }

// A backend sees who is there, and ends it.
func TestControl(t *testing.T) {
	h := newHub(t, hub.Config{Channels: map[string]hub.Options{"chat:": {Presence: true}}})
	s := newServer(t, api.Config{Hub: h})
	out := &outlet{ended: make(chan string, 1), closed: make(chan string, 1)}
	var c *hub.Client
	x := asgitest.New(t, asgi.HandlerFunc(func(_ *asgi.Scope, x asgi.Exchange) asgi.Receiver {
		var err error
		if c, err = h.Connect(x, hub.Identity{User: "ada", Info: []byte(`{"name":"Ada"}`), Grants: hub.Everything}, out); err != nil {
			t.Error(err)
		}
		return nil
	}), asgitest.HTTPScope("GET", "/"))
	c.Subscribe("chat:1", hub.SubscribeOptions{Member: true}, func(_ *hub.Subscription, _ hub.Subscribed, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	try(t, s, "no epoch", []call{
		{"GET", "/members?channel=chat:1", "", 200,
			`{"channel":"chat:1","members":[{"client":"` + c.ID() + `","user":"ada","info":{"name":"Ada"}}],"total":1}`},
		{"GET", "/members?channel=chat:1&limit=0", "", 200, `{"channel":"chat:1","members":[],"total":1}`},
		{"GET", "/stats", "", 200, `{"clients":1,"subscriptions":1,"channels":1,`},
		{"POST", "/unsubscribe", `{"user":"bob","channel":"chat:1"}`, 200, `{}`},
		{"POST", "/unsubscribe", `{"user":"ada","channel":"chat:1","text":"go away"}`, 200, `{}`},
	})
	next := func(from chan string) (got string) {
		t.Helper()
		x.Wait("the end", func() bool {
			select {
			case got = <-from:
				return true
			default:
				return false
			}
		})
		return got
	}
	if got := next(out.ended); got != "chat:1 disconnected go away" {
		t.Errorf("the subscription ended with %q", got)
	}
	try(t, s, "no epoch", []call{
		{"GET", "/members?channel=chat:1", "", 200, `"members":[],"total":0}`},
		{"POST", "/disconnect", `{"user":"ada"}`, 200, `{"clients":1}`},
	})
	if got := next(out.closed); got != "disconnected the server has ended your connection" {
		t.Errorf("the client was closed with %q", got)
	}
	try(t, s, "no epoch", []call{{"GET", "/stats", "", 200, `{"clients":0,"subscriptions":0,`}})
}
