package jobs

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
)

// Request is what a job is asked for with: a POST, or a binary message on a
// WebSocket, whose Scope is then that of the handshake, but without its Headers and
// Subprotocols.
//
// Not safe for concurrent use. Body belongs to Accept and the job it makes.
type Request struct {
	Scope *asgi.Scope
	Body  []byte
}

// ContentType returns the body's Content-Type field, "" if there is none.
func (r *Request) ContentType() string {
	if r.Scope.Type != asgi.ScopeHTTP {
		return ""
	}
	value, _ := r.Scope.Header("content-type")
	return value
}

// Query returns the parameters of the query; malformed ones are left out.
func (r *Request) Query() url.Values {
	q, _ := url.ParseQuery(r.Scope.QueryString)
	return q
}

// Result is what a job returns. Body is immutable from then on.
type Result struct {
	ContentType string // default: application/octet-stream
	Body        []byte
}

// state is where a job stands.
type state string

const (
	queued    state = "queued"
	running   state = "running"
	done      state = "done"
	failed    state = "failed"
	cancelled state = "cancelled"
)

func (s state) final() bool { return s != queued && s != running }

// job is one job of a service, whose lock guards it.
type job struct {
	id     string
	number uint64 // counts up: the order of feeds
	group  *group
	socket *socket // that it ends with; nil: none

	// future is set once the class has accepted the job, until its end.
	future *executor.Future

	public   bool // its client knows the id
	gone     bool // it is not in the table any more
	state    state
	version  uint64 // counts what its client can see of it
	position int
	asked    time.Time // when the position was
	asking   bool      // it is in Service.asking
	percent  int
	failure  *problem
	result   *blob // nil: none, or dropped
	ended    time.Time

	topic topic // of those who follow it alone

	inEnded, inKept *list.Element
}

// status is a job as clients see it.
type status struct {
	Type        string   `json:"type,omitempty"` // on a WebSocket only
	Number      uint64   `json:"n,omitempty"`    // of the message that was accepted
	ID          string   `json:"id"`
	State       state    `json:"state"`
	Version     uint64   `json:"version"`
	Position    int      `json:"position,omitempty"`
	Percent     int      `json:"percent"`
	Location    string   `json:"location"`
	Result      string   `json:"result,omitempty"`
	ContentType string   `json:"content_type,omitempty"`
	Bytes       int      `json:"bytes,omitempty"`
	Error       *problem `json:"error,omitempty"`
	Expires     int64    `json:"expires,omitempty"` // milliseconds since 1970
}

// status returns the job as it stands, for an exchange that finds the service
// at root. The caller holds the lock.
func (j *job) status(root string, keep time.Duration) status {
	s := status{
		ID:       j.id,
		State:    j.state,
		Version:  j.version,
		Percent:  j.percent,
		Location: root + "/" + j.id,
		Error:    j.failure,
	}
	if j.state == queued {
		s.Position = j.position
	}
	if j.result != nil {
		s.Result = s.Location + "/result"
		s.ContentType = j.result.contentType
		s.Bytes = len(j.result.body)
	}
	if j.state.final() {
		s.Expires = j.ended.Add(keep).UnixMilli()
	}
	return s
}

// resultOf makes a Result of what a job has returned.
func resultOf(value any) (Result, error) {
	switch v := value.(type) {
	case Result:
		return v, nil
	case nil:
		return Result{}, nil
	case []byte:
		return Result{Body: v}, nil
	case string:
		return Result{ContentType: "text/plain; charset=utf-8", Body: []byte(v)}, nil
	default:
		p, err := json.Marshal(v)
		if err != nil {
			return Result{}, fmt.Errorf("jobs: the result is no JSON: %w", err)
		}
		return Result{ContentType: "application/json", Body: p}, nil
	}
}

// run wraps a job's function, so that the start is known and the result is made
// by the worker. Of jobs that share a key only the first's is called.
func (s *Service) run(j *job, fn executor.Func) executor.Func {
	return func(ctx context.Context) (any, error) {
		s.started(j)
		value, err := fn(ctx)
		if err != nil {
			return nil, err
		}
		return resultOf(value)
	}
}

// contentType returns a value that a header field can hold.
func contentType(s string) string {
	if s == "" {
		return "application/octet-stream"
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "application/octet-stream"
		}
	}
	return s
}

// blob is a result in memory: one reference for the table, one for each exchange
// it is being sent on. The service's lock guards refs.
type blob struct {
	contentType string
	body        []byte
	refs        int
}

var goneProblem = newProblem(http.StatusGone, "the result is not kept any more", 0)
