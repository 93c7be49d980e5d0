package static

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// rule is a CacheRule whose pattern is ready.
//
// Safe for concurrent use: immutable.
type rule struct {
	pattern      *regexp.Regexp // its groups are hashes
	whole        bool           // it is about the whole path, not the last element
	cacheControl string
}

// patternParts finds what in a pattern does not stand for itself.
var patternParts = regexp.MustCompile(`\*\*|\*|\?|<hash>`)

// newRule makes a rule of a CacheRule.
func newRule(c CacheRule) (rule, error) {
	if c.Pattern == "" || c.CacheControl == "" {
		return rule{}, fmt.Errorf("static: Config: Cache %q: a pattern and a Cache-Control are needed", c.Pattern)
	}
	var expr strings.Builder
	expr.WriteString(`(?s)^`)
	rest := c.Pattern
	for rest != "" {
		at := patternParts.FindStringIndex(rest)
		if at == nil {
			break
		}
		expr.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		switch rest[at[0]:at[1]] {
		case "**":
			expr.WriteString(`.*`)
		case "*":
			expr.WriteString(`[^/]*`)
		case "?":
			expr.WriteString(`[^/]`)
		case "<hash>":
			expr.WriteString(`([0-9A-Za-z_]{8,64})`)
		}
		rest = rest[at[1]:]
	}
	expr.WriteString(regexp.QuoteMeta(rest) + `$`)
	pattern, err := regexp.Compile(expr.String())
	if err != nil {
		return rule{}, fmt.Errorf("static: Config: Cache %q: %w", c.Pattern, err)
	}
	return rule{pattern, strings.Contains(c.Pattern, "/"), c.CacheControl}, nil
}

// fits reports whether the rule is for the file of this name, which has no slash in
// front.
func (r *rule) fits(name string) bool {
	subject := path.Base(name)
	if r.whole {
		subject = "/" + name
	}
	groups := r.pattern.FindStringSubmatch(subject)
	if groups == nil {
		return false
	}
	for _, hash := range groups[1:] {
		if !strings.ContainsAny(hash, "0123456789") || strings.Trim(hash, "0123456789_") == "" {
			return false
		}
	}
	return true
}

// cacheControl returns the Cache-Control of the file of this name.
func (h *Handler) cacheControl(name string) string {
	for i := range h.rules {
		if h.rules[i].fits(name) {
			return h.rules[i].cacheControl
		}
	}
	return h.config.CacheControl
}
