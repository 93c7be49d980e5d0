package hub

import "github.com/gale-server/gale/handlers/internal/rate"

// PublishAs publishes one message in the name of somebody who has no connection,
// within the rate of its user or address. Otherwise it is as [Client.Publish]. done
// is called before PublishAs returns or later, on any goroutine.
func (h *Hub) PublishAs(who *Identity, p Publication, done func(Result)) {
	if err := h.mayPublish(who, &p); err != nil {
		done(Result{Err: err})
		return
	}
	h.Publish([]Publication{p}, func(r []Result) { done(r[0]) })
}

// mayPublish says why somebody may not publish, or nothing, and puts in who it is.
func (h *Hub) mayPublish(who *Identity, p *Publication) error {
	if err := h.check(p); err != nil {
		return err
	}
	if h.revoked(who) {
		return errProof
	}
	if err := h.Allow(who, Publish, p.Channel); err != nil {
		return err
	}
	p.Publisher = who.User
	if p.KeyScope = ""; p.Key != "" {
		p.KeyScope = who.Sender().keyScope()
	}
	now := h.config.Now()
	if c := &h.config; c.PublishRate > 0 {
		if wait, ok := h.senders.Take(who.Sender(), now, rate.PerSecond(c.PublishRate, c.PublishBurst)); !ok {
			return &Error{Code: TooFast, Text: "you publish too much", RetryAfter: wait}
		}
	}
	if o := h.Options(p.Channel); o.PublishRate > 0 {
		if wait, ok := h.rates.Take(p.Channel, now, rate.PerSecond(o.PublishRate, o.PublishBurst)); !ok {
			return &Error{Code: TooFast, Text: "too much is published in this channel", RetryAfter: wait}
		}
	}
	return nil
}
