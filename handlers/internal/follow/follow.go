// Package follow parses the parameters with which a request says what channels of
// a hub it follows, and from where on: they are the same for event streams and long
// polls.
//
// Safe for concurrent use.
package follow

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/internal/prefer"
)

// Channels returns the channels of the parameters ch, each a list with commas:
// valid ones, each once, and no more than most. Errors are a *hub.Error.
func Channels(lists []string, valid func(name string) bool, most int) (names []string, err error) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			switch {
			case !valid(name):
				return nil, &hub.Error{Code: hub.BadChannel, Text: "ch names something that is no channel"}
			case len(names) == most:
				return nil, BadRequest("ch names more than " + strconv.Itoa(most) + " channels") // no use in trying again
			case slices.Contains(names, name):
				return nil, BadRequest("ch names a channel twice")
			}
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, BadRequest("ch names no channel")
	}
	return names, nil
}

// After returns the places of the parameter after, "epoch:offset" for each of n
// channels in the order of ch, or nothing, which is nil. Errors are a *hub.Error.
func After(list string, n int) ([]*hub.Position, error) {
	parts := strings.Split(list, ",")
	if len(parts) != n {
		return nil, BadRequest("after has not one place for each channel")
	}
	places := make([]*hub.Position, n)
	for i, part := range parts {
		if part == "" {
			continue
		}
		colon := strings.LastIndexByte(part, ':')
		offset, err := strconv.ParseUint(part[colon+1:], 10, 64)
		if colon < 0 || err != nil {
			return nil, BadRequest("after is not epoch:offset")
		}
		places[i] = &hub.Position{Epoch: part[:colon], Offset: offset}
	}
	return places, nil
}

// Last returns the numbers of messages of the parameter last, which has one for
// each of n channels in the order of ch, or one for all. Errors are a *hub.Error.
func Last(list string, n int) ([]int, error) {
	parts := strings.Split(list, ",")
	if len(parts) != 1 && len(parts) != n {
		return nil, BadRequest("last has not one number for each channel")
	}
	numbers := make([]int, n)
	for i := range numbers {
		m, ok := Number(parts[min(i, len(parts)-1)])
		if !ok {
			return nil, BadRequest("last is no number of messages")
		}
		numbers[i] = m
	}
	return numbers, nil
}

// maxNumber is more than a hub gives at once: what is above is as good.
const maxNumber = 1 << 20

// Number parses a number of messages.
func Number(s string) (int, bool) {
	d, ok := prefer.Seconds(s) // digits, whatever they count
	return int(min(d/time.Second, maxNumber)), ok
}

// BadRequest is the error of a request that makes no sense.
func BadRequest(text string) *hub.Error { return &hub.Error{Code: hub.BadRequest, Text: text} }
