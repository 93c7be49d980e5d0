package api

import (
	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/cors"
	"github.com/gale-server/gale/handlers/hub"
)

// receipt is where a message has its place, or why it has none.
type receipt struct {
	Channel   string  `json:"channel,omitempty"`
	Epoch     *string `json:"epoch,omitempty"`
	Offset    *uint64 `json:"offset,omitempty"`
	Duplicate bool    `json:"duplicate,omitempty"`
	Error     *fault  `json:"error,omitempty"`
}

func receiptOf(r hub.Result) receipt {
	if r.Err != nil {
		return receipt{Error: faultOf(r.Err)}
	}
	return receipt{Epoch: &r.Epoch, Offset: &r.Offset, Duplicate: r.Duplicate}
}

// single answers with the result of one publication.
func (c *call) single() func(hub.Result) {
	later := c.later()
	return func(r hub.Result) {
		later(func() {
			if r.Err != nil {
				c.fail(r.Err)
			} else {
				c.answer(200, receiptOf(r))
			}
		})
	}
}

// item is a message with its channel; From is for servers only.
type item struct {
	Channel string `json:"channel"`
	From    string `json:"from"`
	content
}

func (i *item) publication() (hub.Publication, error) {
	p, err := i.content.publication(i.Channel)
	p.Publisher = i.From
	return p, err
}

func (s *Server) publish(c *call, body []byte) {
	var request item
	err := decode(body, &request)
	if err != nil {
		c.fail(err)
		return
	}
	p, err := request.publication()
	if err != nil {
		c.fail(err)
		return
	}
	done := c.single()
	s.config.Hub.Publish([]hub.Publication{p}, func(r []hub.Result) { done(r[0]) })
}

// publications are a batch.
type publications struct {
	Publications few[item] `json:"publications"`
}

func (s *Server) batch(c *call, body []byte) {
	request := publications{few[item]{most: s.config.MaxBatch}}
	err := decode(body, &request)
	if err == nil {
		err = request.Publications.check()
	}
	if err != nil {
		c.fail(err)
		return
	}
	items := request.Publications.items
	results := make([]receipt, len(items))
	var batch []hub.Publication
	var at []int // where the results of the batch belong
	for i := range items {
		p, err := items[i].publication()
		if err != nil {
			results[i].Error = faultOf(err)
			continue
		}
		batch, at = append(batch, p), append(at, i)
	}
	s.several(c, batch, results, func(i int, r receipt) { results[at[i]] = r })
}

func (s *Server) broadcast(c *call, body []byte) {
	var request struct {
		Channels few[string] `json:"channels"`
		From     string      `json:"from"`
		content
	}
	request.Channels.most = s.config.MaxBatch
	err := decode(body, &request)
	if err == nil {
		err = request.Channels.check()
	}
	if err != nil {
		c.fail(err)
		return
	}
	p, err := request.publication("")
	if err != nil {
		c.fail(err)
		return
	}
	p.Publisher = request.From
	channels := request.Channels.items
	results := make([]receipt, len(channels))
	batch := make([]hub.Publication, len(channels))
	for i, channel := range channels {
		batch[i], batch[i].Channel = p, channel
	}
	s.several(c, batch, results, func(i int, r receipt) {
		r.Channel = channels[i]
		results[i] = r
	})
}

// several publishes a batch and answers with results; put is told each.
func (s *Server) several(c *call, batch []hub.Publication, results []receipt, put func(i int, r receipt)) {
	later := c.later()
	s.config.Hub.Publish(batch, func(published []hub.Result) {
		later(func() {
			for i, r := range published {
				put(i, receiptOf(r))
			}
			c.answer(200, struct {
				Results []receipt `json:"results"`
			}{results})
		})
	})
}

// Publish is for clients that publish a message with a request:
//
//	POST {"channel":"a","data":…|"text":"…"|"base64":"…","key":"…","ttl":ms,"tags":{…}}
//	→ 200 {"epoch":"e","offset":7}, with "duplicate":true if the key was there before
//
// The token is that of [hub.TokenOf]. What a user publishes so, or an address of those
// who are nobody in particular, counts together with what it publishes over
// connections. With a key a
// client may ask again when it has no answer, and the message is published once.
//
// Safe for concurrent use: immutable.
type Publish struct {
	config  PublishConfig
	origins *cors.Origins
}

// NewPublish returns the handler.
func NewPublish(config PublishConfig) (*Publish, error) {
	switch {
	case config.Hub == nil:
		return nil, errNoHub
	case config.Authenticate == nil:
		return nil, errNoAuthenticate
	}
	origins, err := cors.New(config.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return &Publish{config, origins}, nil
}

// Open implements [asgi.Handler].
func (h *Publish) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	if scope.Type != asgi.ScopeHTTP {
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
	if h.origins.Preflight(scope, x, "POST") {
		return nil
	}
	headers, ok := h.origins.Check(scope)
	c := &call{x: x, scope: scope, headers: headers}
	switch {
	case !ok:
		c.fail(&hub.Error{Code: hub.NotAllowed, Text: "pages of this origin may not publish"})
		return c
	case scope.Method != "POST":
		c.only("POST")
		return c
	}
	who, err := h.config.Hub.Admit(h.config.Authenticate, scope, hub.TokenOf(scope))
	if err != nil {
		c.fail(notIn(err))
		return c
	}
	return c.read(bodyOf(h.config.Hub), func(body []byte) { h.publish(c, &who, body) })
}

func (h *Publish) publish(c *call, who *hub.Identity, body []byte) {
	var request struct {
		Channel string `json:"channel"`
		content
	}
	err := decode(body, &request)
	if err != nil {
		c.fail(err)
		return
	}
	p, err := request.publication(request.Channel)
	if err != nil {
		c.fail(err)
		return
	}
	h.config.Hub.PublishAs(who, p, c.single())
}
