package api

import (
	"encoding/json"

	"github.com/gale-server/gale/handlers/hub"
)

// position is a place as it is told.
type position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

func (s *Server) history(c *call) {
	q, err := query(c.scope)
	if err != nil {
		c.fail(err)
		return
	}
	after, err := place(q)
	if err != nil {
		c.fail(err)
		return
	}
	limit := hub.Limit{Bytes: answerBytes}
	if limit.Messages, err = number(q, "limit", min(100, s.config.MaxAnswer), s.config.MaxAnswer); err != nil {
		c.fail(err)
		return
	}
	last, err := number(q, "last", 0, limit.Messages)
	if err != nil {
		c.fail(err)
		return
	}
	if q.Has("last") {
		limit.Messages, limit.Newest = last, true
	}
	from := hub.Position{}
	if after != nil {
		from = *after
	}
	channel, later := q.Get("channel"), c.later()
	s.config.Hub.History(channel, from, limit, func(h hub.History, err error) {
		later(func() {
			if err != nil {
				c.fail(err)
				return
			}
			if after == nil {
				h.Missing = 0 // who asks for what there is misses nothing
			}
			messages := make([]json.RawMessage, len(h.Messages))
			for i, m := range h.Messages {
				messages[i] = m.Encoded(hub.JSON)
			}
			c.answer(200, struct {
				Channel  string            `json:"channel"`
				Messages []json.RawMessage `json:"messages"`
				Top      position          `json:"top"`
				Missing  int64             `json:"missing"`
			}{channel, messages, position(h.Top), h.Missing})
		})
	})
}

// member is somebody who is present, as it is told.
type member struct {
	Client string          `json:"client"`
	User   string          `json:"user,omitempty"`
	Info   json.RawMessage `json:"info,omitempty"`
}

func (s *Server) members(c *call) {
	q, err := query(c.scope)
	if err != nil {
		c.fail(err)
		return
	}
	limit, err := number(q, "limit", min(100, s.config.MaxAnswer), s.config.MaxAnswer)
	if err != nil {
		c.fail(err)
		return
	}
	channel, later := q.Get("channel"), c.later()
	if hub.ValidChannel(channel) && !s.config.Hub.Options(channel).Presence {
		c.fail(&hub.Error{Code: hub.NotFound, Text: "the channel does not keep who is there"})
		return
	}
	s.config.Hub.Members(channel, limit, func(present []hub.Member, total int, err error) {
		later(func() {
			if err != nil {
				c.fail(err)
				return
			}
			list := make([]member, len(present))
			for i, m := range present {
				list[i] = member{m.Client, m.User, m.Info}
			}
			c.answer(200, struct {
				Channel string   `json:"channel"`
				Members []member `json:"members"`
				Total   int      `json:"total"`
			}{channel, list, total})
		})
	})
}

func (s *Server) stats(c *call) {
	f := s.config.Hub.Stats()
	c.answer(200, struct {
		Clients       int    `json:"clients"`
		Subscriptions int    `json:"subscriptions"`
		Channels      int    `json:"channels"`
		Published     uint64 `json:"published"`
		Delivered     uint64 `json:"delivered"`
		Recovered     uint64 `json:"recovered"`
		Gaps          uint64 `json:"gaps"`
		Slow          uint64 `json:"slow"`
		Backlogs      uint64 `json:"backlogs"`
		Bytes         int64  `json:"bytes"`
		MaxBytes      int64  `json:"max_bytes"`
		Evicted       uint64 `json:"evicted"`
	}{f.Clients, f.Subscriptions, f.Channels, f.Published, f.Delivered, f.Recovered, f.Gaps, f.Slow, f.Backlogs, f.Bytes, f.MaxBytes, f.Evicted})
}
