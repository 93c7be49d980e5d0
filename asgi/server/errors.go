package server

import (
	"net/http"

	"github.com/gale-server/gale/asgi/http1"
)

var (
	errSlowHead = &http1.Error{Status: http.StatusRequestTimeout, Reason: "head did not arrive in time (RFC 9110 §15.5.9)"}
	errSlowBody = &http1.Error{Status: http.StatusRequestTimeout, Reason: "body arrives too slowly (RFC 9110 §15.5.9)"}
)
