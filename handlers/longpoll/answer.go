package longpoll

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
)

// reason is why a poll is answered.
type reason string

const (
	reasonData       reason = "data"
	reasonTimeout    reason = "timeout"
	reasonSuperseded reason = "superseded"
	reasonDraining   reason = "draining"
)

// gapJSON is a gap as clients see it.
type gapJSON struct {
	Channel string    `json:"channel"`
	From    placeJSON `json:"from"`
	To      placeJSON `json:"to"`
	Missing int64     `json:"missing"`
}

type placeJSON struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// subscribedJSON says how a subscription has begun.
type subscribedJSON struct {
	Channel  string    `json:"channel"`
	Position placeJSON `json:"position"`
	Top      placeJSON `json:"top"`
	Missing  int64     `json:"missing"`
}

func (g *gap) json() gapJSON {
	return gapJSON{
		Channel: g.channel,
		From:    placeJSON(g.From),
		To:      placeJSON(g.To),
		Missing: g.Missing,
	}
}

// answer answers with what the poll has got.
func (p *poll) answer(why reason) {
	if p.opening != nil { // it has no places yet
		p.fail(unready(why, p.retry))
		return
	}
	if p.end() {
		return
	}
	n := p.something()
	tag := p.tag(n)
	token := tag[1 : len(tag)-1]
	gaps := make([]gapJSON, len(n.gaps))
	for i := range n.gaps {
		gaps[i] = n.gaps[i].json()
	}
	stats := &p.h.stats
	stats.gaps.Add(uint64(len(gaps)))
	stats.messages.Add(uint64(len(n.messages)))
	r := responses.Get().(*response)
	defer r.free()
	headers := append(r.headers[:0], jsonType, noStore, noBuffer, asgi.Header{Name: "etag", Value: tag})
	if p.preferred {
		headers = append(headers, asgi.Header{Name: "preference-applied", Value: "wait=" + strconv.FormatInt(int64(p.wait/time.Second), 10)})
	}
	headers = append(headers, p.more...)
	if p.strict && len(gaps) > 0 {
		stats.gone.Add(1)
		body := refusal{Code: gone, Text: "messages are lost", RetryMS: p.retry.Milliseconds(), Gaps: gaps, Cursor: token}
		_ = handlers.Respond(p.x, http.StatusGone, encode(&body), headers...)
		return
	}
	stats.of(why).Add(1)
	if p.tagged && why == reasonTimeout {
		if p.retry > 0 { // there is no body to say it in
			e := hub.Error{RetryAfter: p.retry}
			headers = append(headers, e.HTTPHeaders()...)
		}
		_ = handlers.Respond(p.x, http.StatusNotModified, nil, headers[1:]...)
		return
	}
	r.body = p.appendBody(r.body[:0], token, n, gaps, why)
	_ = handlers.Respond(p.x, http.StatusOK, r.body, headers...)
}

// response is room for an answer, which is used again: an engine keeps nothing of
// what it is sent.
type response struct {
	headers [8]asgi.Header
	body    []byte
}

var responses = sync.Pool{New: func() any { return new(response) }}

// maxSpareBody is the size above which a body is not used again.
const maxSpareBody = 16 << 10

func (r *response) free() {
	clear(r.headers[:])
	if cap(r.body) > maxSpareBody {
		r.body = nil
	}
	responses.Put(r)
}

// unready is the answer of a poll that ends before it has a place in each channel.
func unready(why reason, retry time.Duration) *hub.Error {
	if why == reasonSuperseded {
		return &hub.Error{Code: hub.Replaced, Text: "a newer poll has this one's place", RetryAfter: retry}
	}
	return &hub.Error{Code: hub.Draining, Text: "the server is about to stop", RetryAfter: retry}
}

// gone is the code of what is lost to a strict poll.
const gone hub.ErrorCode = "gone"

func (s *stats) of(why reason) *atomic.Uint64 {
	switch why {
	case reasonData:
		return &s.data
	case reasonTimeout:
		return &s.timeout
	case reasonSuperseded:
		return &s.superseded
	default:
		return &s.draining
	}
}

// tag is the cursor of the places where the next poll goes on, in quotes.
func (p *poll) tag(n *news) string {
	who := p.client.Identity()
	c := cursor.Cursor{
		Channels: make([]string, len(p.subs)),
		Places:   make([]hub.Position, len(p.subs)),
		User:     who.User,
		Expires:  who.Expires,
		Proven:   who.Proven,
	}
	for i, s := range p.subs {
		c.Channels[i], c.Places[i] = s.Channel(), s.Position()
	}
	if p.strict && len(n.messages) > 0 {
		n.postpone(&c)
	}
	var room [256]byte
	b := append(room[:0], '"')
	b = p.h.config.Cursors.AppendToken(b, &c)
	return string(append(b, '"'))
}

// postpone leaves the gaps of a strict poll to the next one, which gets nothing
// but them: it goes on before them. There is one for a channel at most, for nothing
// is taken after it.
func (n *news) postpone(c *cursor.Cursor) {
	for _, g := range n.gaps {
		c.Places[slices.Index(c.Channels, g.channel)] = g.From
	}
	n.gaps = nil
}

func (p *poll) appendBody(b []byte, token string, n *news, gaps []gapJSON, why reason) []byte {
	b = slices.Grow(b, 100+len(token)+n.bytes+len(n.messages)+200*(len(gaps)+len(n.subscribed)))
	b = append(b, `{"cursor":"`...)
	b = append(b, token...)
	b = append(b, `","messages":[`...)
	for i, m := range n.messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.Encoded(hub.JSON)...)
	}
	b = append(b, ']')
	if len(n.subscribed) > 0 {
		b = append(b, `,"subscribed":`...)
		b = append(b, bytes.TrimSuffix(encode(n.subscribed), []byte("\n"))...)
	}
	if len(gaps) > 0 {
		b = append(b, `,"gaps":`...)
		b = append(b, bytes.TrimSuffix(encode(gaps), []byte("\n"))...)
		b = append(b, `,"gap":true`...)
	}
	if ms := p.retry.Milliseconds(); ms > 0 {
		b = append(b, `,"retry_ms":`...)
		b = strconv.AppendInt(b, ms, 10)
	}
	b = append(b, `,"reason":"`...)
	b = append(b, why...)
	return append(b, '"', '}', '\n')
}
