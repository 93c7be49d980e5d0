package contender

import (
	"fmt"
	"io"
	"net/http"
	"sync"
)

// httpRooms are server-sent events the way they are written with net/http: a
// handler for each client that waits on a channel. A client whose channel is full
// is dropped.
type httpRooms struct {
	mu    sync.Mutex
	rooms map[string]map[chan []byte]struct{}
}

// httpQueue is how many messages wait for a client.
const httpQueue = 256

func newHTTPRooms() *httpRooms { return &httpRooms{rooms: make(map[string]map[chan []byte]struct{})} }

func (s *httpRooms) publish(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPost))
	if err != nil {
		return
	}
	event := fmt.Appendf(nil, "data: %s\n\n", text)
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[r.URL.Query().Get("id")]
	for c := range room {
		select {
		case c <- event:
		default:
			delete(room, c)
			close(c)
		}
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *httpRooms) subscribe(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("id")
	c := make(chan []byte, httpQueue)
	s.mu.Lock()
	if s.rooms[name] == nil {
		s.rooms[name] = make(map[chan []byte]struct{})
	}
	s.rooms[name][c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.rooms[name], c)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	for {
		if out.Flush() != nil {
			return
		}
		select {
		case event, ok := <-c:
			if !ok {
				return
			}
			_, _ = w.Write(event)
		case <-r.Context().Done():
			return
		}
	}
}
