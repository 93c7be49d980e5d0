package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/hubtest"
)

// outcast is somebody who has proven at a time to be ann.
type outcast struct {
	t *testing.T
	h *hub.Hub
	l *hubtest.Loop
}

func (o *outcast) who(proven time.Time) hub.Identity {
	return hub.Identity{User: "ann", Grants: hub.Everything, Proven: proven}
}

// in returns the codes of the errors with which ann comes in, publishes, and
// subscribes; "" is none.
func (o *outcast) in(proven time.Time, channel string) (connect, publish, subscribe hub.ErrorCode) {
	o.t.Helper()
	who := o.who(proven)
	o.h.PublishAs(&who, hub.Publication{Channel: channel}, func(r hub.Result) { publish = why(r.Err) })
	c, err := o.h.Connect(o.l.Exchange(), who, &counter{})
	if err != nil {
		return why(err), publish, ""
	}
	defer c.Close()
	c.Subscribe(channel, hub.SubscribeOptions{}, func(_ *hub.Subscription, _ hub.Subscribed, err error) { subscribe = why(err) })
	o.l.Run()
	return "", publish, subscribe
}

func TestRevocation(t *testing.T) {
	now := new(clock)
	h := newHub(t, hub.Config{Now: now.read, RevocationAge: time.Hour, PublishRate: -1})
	o := &outcast{t, h, new(hubtest.Loop)}
	want := func(what string, proven time.Time, channel string, connect, publish, subscribe hub.ErrorCode) {
		t.Helper()
		if c, p, s := o.in(proven, channel); c != connect || p != publish || s != subscribe {
			t.Errorf("%s: connect %q, publish %q, subscribe %q", what, c, p, s)
		}
	}
	before, out := now.read().Add(-time.Second), now.read()
	want("at first", before, "a", "", "", "")
	h.Disconnect("ann", nil)
	const late = hub.TokenExpired
	want("with what was proven before", before, "a", late, late, "")
	want("in the same moment", out, "a", late, late, "")
	want("afterwards", out.Add(1), "a", "", "", "")
	want("by who does not say when", time.Time{}, "a", "", "", "")
	now.pass(time.Hour)
	want("with what is as old as may be", before, "a", late, late, "")
	now.pass(time.Second)
	want("with what nobody can have any more", before, "a", "", "", "")

	// Out of some channels: their messages are not had by way of a pattern, either.
	before, out = now.read().Add(-time.Second), now.read()
	h.Unsubscribe("ann", "news:7", nil)
	h.Unsubscribe("ann", "chat:*", nil)
	for channel, refused := range map[string]bool{"news:7": true, "news:*": true, "n*": true, "*": true, "chat:1": true, "chat:1:*": true, "chat:*": true,
		"news:70": false, "news:8": false, "news": false, "chat": false} {
		wanted := hub.ErrorCode("")
		if refused {
			wanted = hub.NotAllowed
		}
		publish := hub.ErrorCode("")
		if hub.ValidChannel(channel) == false {
			publish = hub.BadChannel
		}
		want(channel+" before", before, channel, "", publish, wanted)
		want(channel+" afterwards", out.Add(1), channel, "", publish, "")
	}
}

// An identity is renewed only with what was proven after the user was disconnected.
func TestRevocationOfRenewal(t *testing.T) {
	now := new(clock)
	h := newHub(t, hub.Config{Now: now.read})
	o := &outcast{t, h, new(hubtest.Loop)}
	old := o.who(now.read().Add(-time.Second))
	h.Disconnect("ann", nil)
	c, err := h.Connect(o.l.Exchange(), o.who(now.read().Add(time.Second)), &counter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Renew(old); why(err) != hub.TokenExpired {
		t.Errorf("renewed with an old proof: %v", err)
	}
	c.Close()
}

// Of more revocations than are remembered none is forgotten: the oldest one stands for
// everybody, in time.
func TestRevocationsAreBounded(t *testing.T) {
	now := new(clock)
	h := newHub(t, hub.Config{Now: now.read, MaxRevocations: 3})
	o := &outcast{t, h, new(hubtest.Loop)}
	before := now.read().Add(-time.Second)
	h.Disconnect("ann", nil)
	for i := range 3 {
		now.pass(time.Second)
		for range 10 { // the same one counts once
			h.Disconnect(fmt.Sprint("user ", i), nil)
		}
	}
	if c, _, _ := o.in(before, "a"); c != hub.TokenExpired {
		t.Error("ann has been forgotten")
	}
	if c, _, _ := o.in(before.Add(2*time.Second), "a"); c != "" {
		t.Error("a new proof is not enough")
	}
	// Whose proof is older than the oldest that is forgotten proves it again.
	bob := hub.Identity{User: "bob", Grants: hub.Everything, Proven: before}
	if _, err := h.Connect(o.l.Exchange(), bob, &counter{}); why(err) != hub.TokenExpired {
		t.Errorf("bob: %v", err)
	}
	now.pass(26 * time.Hour)
	if c, err := h.Connect(o.l.Exchange(), bob, &counter{}); err != nil {
		t.Errorf("bob, when no such proof is good any more: %v", err)
	} else {
		c.Close()
	}
}

// Two disconnects may be remembered in another order than they read the clock: the
// later one counts, of the same user, and of those that stand for everybody.
func TestRevocationsNeverGoBack(t *testing.T) {
	now := new(clock)
	for name, users := range map[string][]string{"the same user": {"ann", "ann"}, "made room": {"bob", "eve", "joe", "sue"}} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t, hub.Config{Now: now.read, MaxRevocations: 2})
			o := &outcast{t, h, new(hubtest.Loop)}
			later := now.read()
			for _, user := range users {
				h.Disconnect(user, nil)
				now.pass(-time.Second)
			}
			if c, _, _ := o.in(later.Add(-time.Millisecond), "a"); c != hub.TokenExpired {
				t.Errorf("with what was proven before: %q", c)
			}
			if c, _, _ := o.in(later.Add(time.Millisecond), "a"); c != "" {
				t.Errorf("afterwards: %q", c)
			}
		})
	}
}

// What is renewed is still the client of the same address, which its rates belong to.
func TestRenewalKeepsTheAddress(t *testing.T) {
	h := newHub(t, hub.Config{})
	who := hub.Identity{Address: "192.0.2.1", Grants: hub.Everything}
	c, err := h.Connect(new(hubtest.Loop).Exchange(), who, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Renew(hub.Identity{Grants: hub.Everything}); err != nil {
		t.Fatal(err)
	}
	if got := c.Identity().Sender(); got != who.Sender() {
		t.Errorf("the rates of %+v count for %+v afterwards", who.Sender(), got)
	}
}

// What Admit adds to an Authenticate.
func TestAdmit(t *testing.T) {
	now := new(clock)
	h := newHub(t, hub.Config{Now: now.read})
	who := hub.Identity{User: "ann"}
	admit := func() (hub.Identity, error) {
		return h.Admit(func(*asgi.Scope, string) (hub.Identity, error) {
			answer := who
			now.pass(time.Second) // it takes its time
			return answer, nil
		}, &asgi.Scope{}, "")
	}
	began := now.read()
	if got, err := admit(); err != nil || !got.Proven.Equal(began) {
		t.Errorf("%+v, %v", got, err)
	}
	who.Expires = now.read().Add(time.Second)
	if _, err := admit(); why(err) != hub.TokenExpired {
		t.Errorf("expired meanwhile: %v", err)
	}
	who.Expires = time.Time{}
	who.Proven = now.read()
	h.Disconnect("ann", nil)
	if _, err := admit(); why(err) != hub.TokenExpired {
		t.Errorf("proven before: %v", err)
	}
}

// why is the code of an error, "" of none.
func why(err error) hub.ErrorCode {
	if err == nil {
		return ""
	}
	return hub.AsError(err).Code
}
