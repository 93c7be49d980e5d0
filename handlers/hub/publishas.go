package hub

import "time"

// PublishAs publishes one message in the name of somebody who has no connection,
// within the rate of its sender: a name that is the same for all that one client
// asks for, its user or where it comes from. Otherwise it is as [Client.Publish].
// done is called before PublishAs returns or later, on any goroutine.
func (h *Hub) PublishAs(who *Identity, sender string, p Publication, done func(Result)) {
	err := h.mayPublish(who, &p, func(now time.Time) (time.Duration, bool) {
		return h.senders.take(sender, now, h.config.PublishRate, h.config.PublishBurst)
	})
	if err != nil {
		done(Result{Err: err})
		return
	}
	p.Publisher = who.User
	h.Publish([]Publication{p}, func(r []Result) { done(r[0]) })
}

// mayPublish says why somebody may not publish, or nothing; rate takes a token of
// its own rate.
func (h *Hub) mayPublish(who *Identity, p *Publication, rate func(now time.Time) (wait time.Duration, ok bool)) error {
	if err := h.check(p); err != nil {
		return err
	}
	if h.revoked(who) {
		return errProof
	}
	if err := h.Allow(who, Publish, p.Channel); err != nil {
		return err
	}
	now := h.config.Now()
	if wait, ok := rate(now); !ok {
		return &Error{Code: TooFast, Text: "you publish too much", RetryAfter: wait}
	}
	if o := h.Options(p.Channel); o.PublishRate > 0 {
		if wait, ok := h.rates.take(p.Channel, now, o.PublishRate, o.PublishBurst); !ok {
			return &Error{Code: TooFast, Text: "too much is published in this channel", RetryAfter: wait}
		}
	}
	return nil
}
