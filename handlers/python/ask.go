package python

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gale-server/gale/handlers/hub"
)

// subscribeJob is the job that asks a worker whether somebody may do something in a
// channel.
const subscribeJob = "gale.subscribe"

// question is its payload, and verdict its result. PROTOCOL.md has them, too.
type question struct {
	Channel string          `json:"channel"`
	User    string          `json:"user"`
	Action  string          `json:"action"`
	Info    json.RawMessage `json:"info"`
	Address string          `json:"address"`
}

type verdict struct {
	Allow bool `json:"allow"`
}

// retryAsking is after how long a client may try again that could not be asked about.
const retryAsking = time.Second

// Ask asks the application whether somebody may do something in a channel of a hub: the
// function that it registered with @gale.on_subscribe. It is a hub.Config.Ask:
//
//	var app *python.Handler
//	h, err := hub.New(hub.Config{Ask: func(who *hub.Identity, what hub.Action, channel string, answer func(error)) {
//		app.Ask(who, what, channel, answer)
//	}})
//	app, err = python.New(python.Config{App: "app:app", Hub: h})
//
// An application that registered none allows everything, as far as the hub's Allow does.
// An exception means no. If no worker is there to be asked within Config.StartTimeout, or
// more than Config.MaxWaiting questions wait, the client is told to try again.
func (h *Handler) Ask(who *hub.Identity, what hub.Action, channel string, answer func(error)) {
	q := question{Channel: channel, User: who.User, Action: actionNames[what], Info: who.Info, Address: who.Address}
	if q.Info == nil {
		q.Info = json.RawMessage("null")
	}
	payload, err := json.Marshal(q)
	if err != nil {
		answer(&hub.Error{Code: hub.Internal, Text: "your identity cannot be passed on"})
		return
	}
	if n := h.asking.Add(1); n > int64(h.config.MaxWaiting) {
		h.asking.Add(-1)
		answer(&hub.Error{Code: hub.TooMany, Text: "too many wait to be let in", RetryAfter: retryAsking})
		return
	}
	go func() { // ends with the job, which ends with its worker, or StartTimeout
		defer h.asking.Add(-1)
		answer(h.ask(payload))
	}()
}

var actionNames = [...]string{hub.Subscribe: "subscribe", hub.Publish: "publish", hub.Presence: "presence"}

func (h *Handler) ask(payload []byte) error {
	out, err := h.pool.run(context.Background(), subscribeJob, payload)
	var raised *JobError
	switch {
	case errors.Is(err, ErrUnknownJob):
		return nil
	case errors.As(err, &raised): // its worker has written why
		return errNotAllowed
	case err != nil:
		h.config.Logger.Warn("python: the application could not be asked about a client", "error", err)
		return &hub.Error{Code: hub.Unavailable, Text: "nobody can say whether you may", RetryAfter: retryAsking}
	}
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil || !v.Allow {
		return errNotAllowed
	}
	return nil
}

var errNotAllowed = &hub.Error{Code: hub.NotAllowed, Text: "you may not do this in this channel"}
