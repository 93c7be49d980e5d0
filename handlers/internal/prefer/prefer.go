// Package prefer reads what a client prefers: the fields Prefer and
// Preference-Applied (https://www.rfc-editor.org/rfc/rfc7240), as far as they are
// about waiting.
package prefer

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
)

// Preferences are what a client asks for with Prefer fields. What is unknown or
// malformed is no error: it is ignored (section 2).
type Preferences struct {
	Wait         time.Duration // section 4.3
	HasWait      bool
	RespondAsync bool // section 4.1
}

// Of returns the preferences of a request.
func Of(scope *asgi.Scope) (p Preferences) {
	seen := make(map[string]bool, 2)
	for i := range scope.Headers {
		if scope.Headers[i].Name != "prefer" {
			continue
		}
		for rest := scope.Headers[i].Value; rest != ""; {
			var one string
			one, rest = cutUnquoted(rest, ',')
			p.add(one, seen)
		}
	}
	return p
}

// add takes one preference. Of several with one name the first counts (section
// 2).
func (p *Preferences) add(preference string, seen map[string]bool) {
	preference, _ = cutUnquoted(preference, ';') // parameters mean nothing here
	name, value, _ := strings.Cut(preference, "=")
	name = strings.ToLower(strings.Trim(name, " \t"))
	if name != "wait" && name != "respond-async" || seen[name] {
		return
	}
	seen[name] = true
	if name == "respond-async" {
		p.RespondAsync = true
		return
	}
	p.Wait, p.HasWait = Seconds(unquote(strings.Trim(value, " \t")))
}

// cutUnquoted cuts s at the first sep that is in no quoted string.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == sep:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return s[1 : len(s)-1] // digits need no escapes
}

// Seconds parses a number of seconds: digits, of which there may be too many.
func Seconds(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	const most = math.MaxInt64 / int64(time.Second)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second, true
}

// Applied returns the Preference-Applied field (section 3) for a wait of whole
// seconds; nil if there is nothing to say.
func (p *Preferences) Applied(wait time.Duration) []asgi.Header {
	var names []string
	if p.RespondAsync {
		names = append(names, "respond-async")
	}
	if p.HasWait {
		names = append(names, "wait="+strconv.FormatInt(int64(wait/time.Second), 10))
	}
	if names == nil {
		return nil
	}
	return []asgi.Header{{Name: "preference-applied", Value: strings.Join(names, ", ")}}
}
