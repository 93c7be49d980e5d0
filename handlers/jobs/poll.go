package jobs

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/internal/prefer"
)

// poll answers a GET of a job's state or result, at once or when there is
// something to tell.
//
// Loop-owned: call only from its event loop.
type poll struct {
	s      *Service
	x      asgi.Exchange
	job    *job
	root   string
	prefs  prefer.Preferences
	wait   time.Duration // whole seconds, as announced
	result bool          // it is the result that is wanted
	asks   bool          // for what is newer than a version: else it waits for the end
	since  []uint64      // the versions the client has, at most maxTags; none: one that never was
	tagged bool          // they came as an If-None-Match: 304 if nothing is new
	any    bool          // If-None-Match: *
	timer  asgi.Timer
	over   bool
	follow follower

	sending *download
}

func (s *Service) openPoll(scope *asgi.Scope, x asgi.Exchange, id, part string) asgi.Receiver {
	p := &poll{s: s, x: x, root: root(scope), prefs: prefer.Of(scope), result: part == partResult}
	if bad := p.parse(scope); bad != nil {
		bad.fail(x)
		return nil
	}
	s.mu.Lock()
	p.job = s.find(id)
	s.mu.Unlock()
	if p.job == nil {
		unknown.fail(x)
		return nil
	}
	s.locate(p.job)
	s.mu.Lock()
	parked := p.wait > 0 && !p.news()
	full := false
	if parked { // in one go with the look, so that no change is missed
		p.follow.x, p.follow.run = x, p.look
		full = !s.follow(&p.follow, p.job, p.job.group)
	}
	s.mu.Unlock()
	switch {
	case full:
		tooManyFollow.fail(x)
		return nil
	case parked:
		// Less by chance, so that those who came together do not come back
		// together; more would pass the limits of proxies.
		p.timer = x.AfterFunc(p.wait-rand.N(p.wait/16), p.answer)
	default:
		p.answer()
	}
	return p
}

// parse reads how long to wait and for what.
func (p *poll) parse(scope *asgi.Scope) *problem {
	query, _ := url.ParseQuery(scope.QueryString)
	if query.Has("wait") {
		wait, ok := prefer.Seconds(query.Get("wait"))
		if !ok {
			return newProblem(http.StatusBadRequest, "wait is a number of seconds", 0)
		}
		p.prefs.Wait, p.prefs.HasWait = wait, true // the address beats the preference
	}
	p.wait = min(p.prefs.Wait, p.s.config.MaxWait)
	if p.result {
		return nil
	}
	if query.Has("since") {
		version, err := strconv.ParseUint(query.Get("since"), 10, 64)
		if err != nil {
			return newProblem(http.StatusBadRequest, "since is the version of an earlier answer", 0)
		}
		p.asks, p.since = true, []uint64{version}
		return nil
	}
	p.parseMatch(scope)
	return nil
}

// maxTags bounds the versions of a request that are kept.
const maxTags = 8

// parseMatch takes the versions that the client has from If-None-Match, a list that
// may stand in several fields
// (https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2). Tags that are no version
// are nobody's.
func (p *poll) parseMatch(scope *asgi.Scope) {
	for i := range scope.Headers {
		if scope.Headers[i].Name != "if-none-match" {
			continue
		}
		p.asks, p.tagged = true, true
		for tag := range strings.SplitSeq(scope.Headers[i].Value, ",") {
			tag = strings.Trim(tag, " \t")
			p.any = p.any || tag == "*"
			if version, ok := versionOf(tag); ok && len(p.since) < maxTags {
				p.since = append(p.since, version)
			}
		}
	}
}

// versionOf returns the version in a tag, weak or not. Intermediaries that compress
// write "-gzip" or ";gzip" and the like behind it.
func versionOf(tag string) (uint64, bool) {
	inner, quoted := strings.CutPrefix(strings.TrimPrefix(tag, "W/"), `"`)
	end := strings.IndexAny(inner, `-;"`)
	if !quoted || end < 0 || inner[len(inner)-1] != '"' {
		return 0, false
	}
	version, err := strconv.ParseUint(inner[:end], 10, 64)
	return version, err == nil
}

// fresh reports whether the client has not seen the job's state. The caller
// holds the lock.
func (p *poll) fresh() bool {
	return !p.any && !slices.Contains(p.since, p.job.version)
}

// news reports whether there is no use in waiting. The caller holds the lock.
func (p *poll) news() bool {
	if p.job.gone || p.job.state.final() {
		return true
	}
	return !p.result && p.asks && p.fresh()
}

// Receive handles what comes while the poll is parked.
func (p *poll) Receive(ev asgi.ReceiveEvent) {
	switch ev.(type) {
	case *asgi.HTTPDisconnect:
		p.end()
	case *asgi.Drain:
		p.answer()
	}
	if p.sending != nil {
		p.sending.Receive(ev)
	}
}

func (p *poll) look() {
	if !p.s.look(&p.follow) {
		return
	}
	p.s.mu.Lock()
	news := p.news()
	p.s.mu.Unlock()
	if news {
		p.answer()
	}
}

// end ends the wait, and reports whether that was done before.
func (p *poll) end() (before bool) {
	if p.over {
		return true
	}
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.s.unfollow(&p.follow)
	return false
}

func (p *poll) answer() {
	if p.end() {
		return
	}
	if p.result {
		p.answerResult()
		return
	}
	p.s.mu.Lock()
	fresh := p.fresh()
	tag := etag(p.job)
	st := p.job.status(p.root, p.s.config.KeepResults)
	p.s.mu.Unlock()
	headers := append(p.prefs.Applied(p.wait), tag)
	switch {
	case p.tagged && !fresh:
		_ = handlers.Respond(p.x, http.StatusNotModified, nil, append(headers, noStore)...)
		return
	case !st.State.final():
		headers = append(headers, asgi.Header{Name: "retry-after", Value: "1"})
	}
	_ = respondJSON(p.x, http.StatusOK, st, "application/json", headers...)
}

func (p *poll) answerResult() {
	p.s.mu.Lock()
	end, failure, result := p.job.state, p.job.failure, p.job.result
	if result != nil {
		result.refs++
	}
	p.s.mu.Unlock()
	headers := p.prefs.Applied(p.wait)
	switch {
	case result != nil:
		p.sending = p.s.send(p.x, result, headers...)
	case failure != nil:
		failure.fail(p.x, headers...)
	case end.final():
		goneProblem.fail(p.x, headers...)
	default:
		notEnded.fail(p.x, headers...)
	}
}

var notEnded = newProblem(http.StatusConflict, "the job has not ended", time.Second)
