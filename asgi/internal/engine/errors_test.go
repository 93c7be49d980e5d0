package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/websocket"
)

type says int

func (s says) Error() string   { return "says" }
func (s says) HTTPStatus() int { return int(s) }
func (s says) CloseCode() int  { return int(s) }

func TestStatusOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{errors.New("x"), 500},
		{&asgi.PanicError{Value: "x"}, 500},
		{asgi.ErrIncomplete, 500},
		{fmt.Errorf("wrapped: %w", &http1.Error{Status: 431}), 431},
		{&websocket.HandshakeError{Status: 426}, 426},
		{says(503), 503},
		{says(200), 500},
		{says(600), 500},
	} {
		if got := StatusOf(test.err); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
}

func TestTextOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
		peer bool
	}{
		{errors.New("secret"), "Internal Server Error\n", false},
		{says(503), "Service Unavailable\n", false},
		{says(404), "says\n", true},
		{fmt.Errorf("secret: %w", says(413)), "says\n", true},
		{&asgi.PanicError{Value: says(404)}, "Not Found\n", false},
	} {
		if got := TextOf(test.err); got != test.want || OfRequest(test.err) != test.peer {
			t.Errorf("%v: %q, %v", test.err, got, OfRequest(test.err))
		}
	}
}

func TestCloseCodeOf(t *testing.T) {
	for _, test := range []struct {
		err    error
		want   int
		reason string
	}{
		{nil, 1000, ""},
		{errors.New("secret"), 1011, ""},
		{fmt.Errorf("wrapped: %w", &websocket.Error{Code: 1007, Reason: "not UTF-8"}), 1007, "not UTF-8"},
		{ErrSilent, 1011, "no answer to a ping"},
		{says(1013), 1013, ""},
	} {
		if got := CloseCodeOf(test.err); got != test.want || ReasonOf(test.err) != test.reason {
			t.Errorf("%v: %d %q, want %d %q", test.err, got, ReasonOf(test.err), test.want, test.reason)
		}
	}
}
