package python

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/enginetest"
)

// clientApp is an application that calls gale, and is called by it.
const clientApp = `
import gale

@gale.job("count")
def count(payload):
    return str(len(payload)).encode()

@gale.job("fail")
async def fail(payload):
    raise ValueError("no " + payload.decode())

@gale.on_subscribe
async def allow(request):
    return request.channel == "open" or request.user == "ann" and request.action == "subscribe"

async def run(path):
    if path == "/publish":
        first = await gale.publish("news", b"one", event="e", idempotency_key="k")
        again = await gale.publish("news", "one", idempotency_key="k")
        assert first.offset == again.offset == 1, (first, again)
        places = await gale.broadcast(["news", "b"], "two")
        assert [p.offset for p in places] == [2, 1], places
        page = await gale.history("news", since=first)
        assert [(p.offset, p.data) for p in page.publications] == [(2, b"two")], page
        page = await gale.history("news", limit=1, reverse=True)
        assert page.offset == 2 and page.publications[0].data == b"two", page
        assert await gale.presence("room") == {}
        return b"done"
    if path == "/run":
        return await gale.run("cpu", "upper", b"abc", timeout=60)
    errors = []
    for call in (gale.publish("no good", b""), gale.run("cpu", "none"), gale.run("cpu", "fail"), gale.run("cpu", "wait", timeout=0.01), gale.presence("news")):
        try:
            await call
        except gale.Error as e:
            errors.append(type(e).__name__)
    return " ".join(errors).encode()

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = await run(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
`

// Go and Python call each other by the client module.
func TestClientModule(t *testing.T) {
	var h *Handler
	var news *hub.Hub
	config := application(t, clientApp)
	config.Lifespan, config.Logger = "off", slog.New(slog.DiscardHandler)
	enginetest.Each(t, enginetest.Options{}, func(t *testing.T) asgi.Handler {
		config := config
		news = newHub(t, hub.Config{Channels: map[string]hub.Options{"room": {Presence: true}}})
		config.Hub, config.Executor = news, newExecutor(t)
		config.Jobs = map[string]Job{
			"upper": func(_ context.Context, p []byte) ([]byte, error) { return bytes.ToUpper(p), nil },
			"fail":  func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") },
			"wait":  func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, context.Cause(ctx) },
		}
		var err error
		if h, err = New(config); err != nil {
			t.Fatal(err)
		}
		return h
	}, func(t *testing.T, s *enginetest.Server) {
		for path, want := range map[string]string{
			"/publish": "done",
			"/run":     "ABC",
			"/errors":  "Rejected Rejected Failed Expired Rejected",
		} {
			res, err := s.Client.Get("http://" + s.Addr + path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK || err != nil || string(got) != want {
				t.Errorf("%s: %d %q, %v", path, res.StatusCode, got, err)
			}
		}
		read := make(chan hub.History, 1)
		news.History("news", hub.Position{}, hub.Limit{Messages: -1}, func(h hub.History, _ error) { read <- h })
		if m := (<-read).Messages; len(m) != 2 || string(m[0].Data) != "one" || m[0].Tags["event"] != "e" || m[0].Key != "k" {
			t.Errorf("%d messages: %+v", len(m), m)
		}

		if out, err := h.Run(limited(t), "count", make([]byte, 1000)); err != nil || string(out) != "1000" {
			t.Errorf("%q, %v", out, err)
		}
		var raised *JobError
		if _, err := h.Run(limited(t), "fail", []byte("luck")); !errors.As(err, &raised) || raised.Message != "ValueError: no luck" {
			t.Error(err)
		}
		if _, err := h.Run(limited(t), "none", nil); !errors.Is(err, ErrUnknownJob) {
			t.Error(err)
		}
		ask := func(user, channel string, what hub.Action) string {
			answer := make(chan error, 1)
			h.Ask(&hub.Identity{User: user}, what, channel, func(err error) { answer <- err })
			select {
			case err := <-answer:
				if err != nil {
					return string(hub.AsError(err).Code)
				}
				return "ok"
			case <-time.After(time.Minute):
				return "nothing"
			}
		}
		for _, q := range []struct {
			user, channel string
			what          hub.Action
			want          string
		}{
			{"", "open", hub.Subscribe, "ok"}, {"ann", "x", hub.Subscribe, "ok"},
			{"ann", "x", hub.Presence, "not_allowed"}, {"bob", "x", hub.Subscribe, "not_allowed"},
		} {
			if got := ask(q.user, q.channel, q.what); got != q.want {
				t.Errorf("%+v: %s", q, got)
			}
		}
	})
}
