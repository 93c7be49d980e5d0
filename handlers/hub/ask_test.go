package hub_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

var actions = [...]string{hub.Subscribe: "subscribe", hub.Publish: "publish", hub.Presence: "presence"}

// asked is a Config.Ask whose answers the test gives.
type asked struct {
	questions []string
	answers   []func(error)
}

func (a *asked) ask(who *hub.Identity, what hub.Action, channel string, answer func(error)) {
	a.questions = append(a.questions, fmt.Sprintf("%s %s %s", who.User, actions[what], channel))
	a.answers = append(a.answers, answer)
}

// next answers the oldest question.
func (a *asked) next(t *testing.T, question string, err error) {
	t.Helper()
	if len(a.questions) == 0 || a.questions[0] != question {
		t.Fatalf("questions: %q, want %q", a.questions, question)
	}
	answer := a.answers[0]
	a.questions, a.answers = a.questions[1:], a.answers[1:]
	answer(err)
	answer(errors.New("a second answer counts for nothing"))
}

// A subscription waits for the answer, whenever it comes, and what is refused leaves no
// trace.
func TestAsk(t *testing.T) {
	var a asked
	h := newHub(t, hub.Config{Ask: a.ask, MaxSubscriptions: 3, Channels: withPresence})
	l := &hubtest.Loop{}
	ann := connect(t, h, l, "ann")

	ann.subscribe("a", hub.SubscribeOptions{})
	ann.expect()
	a.next(t, "ann subscribe a", nil)
	ann.expect("a from 0 of 0, 0 missing")
	ann.subscribe("b", hub.SubscribeOptions{})
	a.next(t, "ann subscribe b", errors.New("no"))
	ann.expect("b refused not_allowed")
	ann.subscribe("c", hub.SubscribeOptions{})
	a.next(t, "ann subscribe c", &hub.Error{Code: hub.TooMany})
	ann.expect("c refused too_many")
	if n := h.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}

	ann.subscribe("d", hub.SubscribeOptions{Presence: true})
	a.next(t, "ann subscribe d", nil)
	ann.expect()
	a.next(t, "ann presence d", nil)
	ann.expect("d from 0 of 0, 0 missing")

	for range 4 { // of the same channel, and more than there may be
		ann.subscribe("e", hub.SubscribeOptions{})
	}
	ann.expect("e refused too_many")
	a.next(t, "ann subscribe e", nil)
	a.next(t, "ann subscribe e", nil)
	a.next(t, "ann subscribe e", errors.New("no"))
	ann.expect("e from 0 of 0, 0 missing", "e refused bad_request", "e refused not_allowed")
	ann.subscribe("no channel", hub.SubscribeOptions{})
	a.next(t, "ann subscribe no channel", nil)
	ann.expect("no channel refused bad_channel")

	result := ""
	ann.History("a", hub.Position{}, hub.Limit{}, func(_ hub.History, err error) { result = code(err) })
	a.next(t, "ann subscribe a", errors.New("no"))
	ann.expect()
	if result != "not_allowed" {
		t.Errorf("the history: %s", result)
	}
	ann.Members("a", 1, func(_ []hub.Member, _ int, err error) { result = "ok " + code(err) })
	a.next(t, "ann presence a", nil)
	ann.expect()
	if result != "ok "+code(nil) {
		t.Errorf("the members: %s", result)
	}

	ann.subscribe("f", hub.SubscribeOptions{})
	ann.Client.Close()
	a.next(t, "ann subscribe f", nil)
	ann.expect()
	ann.subscribe("g", hub.SubscribeOptions{})
	ann.expect("g refused disconnected")
	if len(a.questions) > 0 {
		t.Errorf("questions: %q", a.questions)
	}
}

// Nothing is asked about what Allow refuses, and an answer may come at once.
func TestAskAfterAllow(t *testing.T) {
	h := newHub(t, hub.Config{
		Allow: func(_ *hub.Identity, _ hub.Action, channel string) error {
			if channel == "a" {
				return errors.New("no")
			}
			return nil
		},
		Ask: func(_ *hub.Identity, _ hub.Action, channel string, answer func(error)) {
			if channel == "a" {
				t.Error("it is asked about what is refused")
			}
			answer(nil)
		},
	})
	ann := connect(t, h, &hubtest.Loop{}, "ann")
	ann.subscribe("a", hub.SubscribeOptions{})
	ann.expect("a refused not_allowed")
	ann.subscribe("b", hub.SubscribeOptions{})
	ann.expect("b from 0 of 0, 0 missing")
}
