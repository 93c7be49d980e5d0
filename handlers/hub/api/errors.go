package api

import (
	"errors"

	"github.com/gale-server/gale/handlers/hub"
)

var (
	errNoHub          = errors.New("api: PublishConfig.Hub is nil")
	errNoAuthenticate = errors.New("api: PublishConfig.Authenticate is nil; hub.Anyone lets everybody publish")
)

// notIn is what a client is told of an error of Authenticate.
func notIn(err error) error {
	var e *hub.Error
	if errors.As(err, &e) {
		return e
	}
	return &hub.Error{Code: hub.BadToken, Text: "you may not come in"}
}
