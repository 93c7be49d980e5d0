package jobs

import (
	"container/list"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/sse"
)

// Service is the Handler: all jobs, and those who wait for them.
//
// It answers below its RootPath, as a handler behind a prefix of a handlers.Mux
// has it: a POST to "/" and what the package comment lists. [Service.Mount] adds
// all of its routes to a Mux. As the handler of a lifespan it ends with it, as by
// Close.
//
// Safe for concurrent use.
type Service struct {
	config  Config
	streams sse.Options
	uploads atomic.Int64 // bytes held by bodies that are being received

	// mu guards what follows, and what the jobs and followers say it does. It is
	// held for some instructions at a time, never while calling the class, an
	// exchange or a function of the config: a job's worker takes it, too, and may
	// be of the lowest priority.
	mu      sync.Mutex
	closed  bool
	number  uint64
	jobs    map[string]*job
	groups  map[string]*group // by client: those with jobs or followers
	ended   *list.List        // jobs whose client knows them, as they ended
	kept    *list.List        // of these, those whose result is kept
	bytes   int64             // held by results
	waiting int               // jobs that are queued
	expiry  *time.Timer       // for the first of ended
	asking  []*job            // that wait and are followed; the longest not asked first
	inquiry *time.Timer       // for those; nil: never needed yet
	steps   float64           // that look-ups of places may take
	stepped time.Time         // when steps was counted
}

// group is the jobs of one client: of a name that Config.Client said, or of one
// WebSocket. The service's lock guards it.
type group struct {
	client string
	named  bool // it is in Service.groups
	jobs   map[*job]struct{}
	topic  topic // of those who follow all of the client's jobs
}

var _ asgi.Handler = (*Service)(nil)

// New returns a service, or an error when the config makes no sense. It starts
// nothing.
func New(config Config) (*Service, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Service{
		config:  config,
		streams: sse.Options{Heartbeat: config.Heartbeat, MaxAge: config.MaxStreamAge},
		jobs:    make(map[string]*job),
		groups:  make(map[string]*group),
		ended:   list.New(),
		kept:    list.New(),
	}, nil
}

// Mount adds the service's routes to m, at base and below: "/jobs". It panics as
// m.HTTP does.
func (s *Service) Mount(m *handlers.Mux, base string) {
	base = strings.TrimSuffix(base, "/")
	m.HTTP(base+"/*", s)
	m.WebSocket(base+"/*", s)
	if base != "" {
		m.HTTP("POST "+base, asgi.HandlerFunc(func(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
			scope = scope.Copy()
			scope.RootPath += base
			return s.Open(scope, x)
		}))
	}
}

// Open answers a request, or lets a WebSocket follow.
func (s *Service) Open(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	switch scope.Type {
	case asgi.ScopeHTTP:
		return s.openHTTP(scope, x)
	case asgi.ScopeWebSocket:
		return s.openWebSocket(scope, x)
	case asgi.ScopeLifespan:
		return s.openLifespan(x)
	default:
		x.End(asgi.ErrUnsupportedScope)
		return nil
	}
}

func (s *Service) openLifespan(x asgi.Exchange) asgi.Receiver {
	return asgi.ReceiverFunc(func(ev asgi.ReceiveEvent) {
		switch ev.(type) {
		case *asgi.LifespanStartup:
			_ = x.Send(&asgi.LifespanStartupComplete{})
		case *asgi.LifespanShutdown:
			s.Close()
			_ = x.Send(&asgi.LifespanShutdownComplete{})
		}
	})
}

// Parts of paths.
const (
	partEvents = "events"
	partResult = "result"
)

// split returns the job's id and the part of it that a path is about.
func split(path string) (id, part string) {
	id, part, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return id, part
}

// root is the service's own path, for links.
func root(scope *asgi.Scope) string { return (&url.URL{Path: scope.RootPath}).EscapedPath() }

func (s *Service) openHTTP(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	id, part := split(handlers.Path(scope))
	read := scope.Method == http.MethodGet || scope.Method == http.MethodHead
	switch {
	case id == "":
		if scope.Method != http.MethodPost {
			return methodNotAllowed(x, "POST")
		}
		return s.openUpload(scope, x)
	case id == partEvents && part == "", part == partEvents:
		if scope.Method != http.MethodGet {
			return methodNotAllowed(x, "GET")
		}
		return s.openEvents(scope, x)
	case part == "" && scope.Method == http.MethodDelete:
		return s.delete(id, x)
	case part == "" && !read:
		return methodNotAllowed(x, "DELETE, GET, HEAD")
	case part == partResult && !read:
		return methodNotAllowed(x, "GET, HEAD")
	case part == "" || part == partResult:
		return s.openPoll(scope, x, id, part)
	default:
		unknown.fail(x)
		return nil
	}
}

var unknown = newProblem(http.StatusNotFound, "no such job, or it is not kept any more", 0)

func methodNotAllowed(x asgi.Exchange, allow string) asgi.Receiver {
	newProblem(http.StatusMethodNotAllowed, "", 0).fail(x, asgi.Header{Name: "allow", Value: allow})
	return nil
}

// delete cancels a job, or drops the result of one that has ended.
func (s *Service) delete(id string, x asgi.Exchange) asgi.Receiver {
	if !s.cancel(id, nil) {
		unknown.fail(x)
		return nil
	}
	_ = handlers.Respond(x, http.StatusNoContent, nil, noStore)
	return nil
}

// client asks whose request it is.
func (s *Service) client(scope *asgi.Scope) (string, *problem) {
	name, err := s.config.Client(scope)
	if err != nil {
		return "", s.refusal(err)
	}
	return name, nil
}

// refusal is the problem of an error of the config's functions, logged if need
// be.
func (s *Service) refusal(err error) *problem {
	p, secret := problemOf(err)
	if secret {
		s.config.Logger.Error("job request failed", "error", err)
		p.Detail = "the request failed"
	}
	return p
}
