package api

import (
	"strings"

	"github.com/gale-server/gale/handlers/hub"
)

// nothing is the answer that says no more than that it was done.
type nothing struct{}

func (s *Server) disconnect(c *call, body []byte) {
	var request struct {
		User string `json:"user"`
		Text string `json:"text"`
	}
	err := decode(body, &request)
	if err == nil && request.User == "" {
		err = bad("user is needed")
	}
	if err != nil {
		c.fail(err)
		return
	}
	n := s.config.Hub.Disconnect(request.User, reason(request.Text, "the server has ended your connection"))
	c.answer(200, struct {
		Clients int `json:"clients"`
	}{n})
}

func (s *Server) unsubscribe(c *call, body []byte) {
	var request struct {
		User    string `json:"user"`
		Channel string `json:"channel"`
		Text    string `json:"text"`
	}
	err := decode(body, &request)
	switch {
	case err != nil:
	case request.User == "":
		err = bad("user is needed")
	case request.Channel != "*" && !hub.ValidChannel(strings.TrimSuffix(request.Channel, "*")):
		err = errChannel
	}
	if err != nil {
		c.fail(err)
		return
	}
	s.config.Hub.Unsubscribe(request.User, request.Channel, reason(request.Text, "the server has ended your subscription"))
	c.answer(200, nothing{})
}

func (s *Server) forget(c *call, body []byte) {
	var request struct {
		Channel string `json:"channel"`
	}
	err := decode(body, &request)
	if err == nil && !hub.ValidChannel(request.Channel) {
		err = errChannel
	}
	if err != nil {
		c.fail(err)
		return
	}
	s.config.Hub.Forget(request.Channel)
	c.answer(200, nothing{})
}

var errChannel = &hub.Error{Code: hub.BadChannel, Text: "this is no name of a channel"}

// reason is what a client is told.
func reason(text, otherwise string) *hub.Error {
	if text == "" {
		text = otherwise
	}
	return &hub.Error{Code: hub.Disconnected, Text: text}
}
