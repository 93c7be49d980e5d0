package contender

import (
	"bytes"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// Rooms of WebSockets without a protocol of their own: a client subscribes with
// "/subscribe?room=a" and is told "subscribed"; one that publishes sends "a text"
// to "/publish". Here each is done as the library's own example of a chat does it.

const subscribed = "subscribed"

// cutRoom takes apart what is published. The text is the caller's own.
func cutRoom(message []byte) (room string, text []byte) {
	name, text, _ := bytes.Cut(message, []byte(" "))
	return string(name), text
}

// gorillaHub is the well-known pattern: a goroutine that owns the clients of a
// room, and a channel and two goroutines for each of them. A client whose channel
// is full is dropped.
type gorillaHub struct {
	clients    map[*gorillaClient]bool
	broadcast  chan []byte
	register   chan *gorillaClient
	unregister chan *gorillaClient
}

type gorillaClient struct {
	conn *websocket.Conn
	send chan []byte
}

// gorillaQueue is how many messages wait for a client.
const gorillaQueue = 256

func newGorillaHub() *gorillaHub {
	h := &gorillaHub{
		clients:    make(map[*gorillaClient]bool),
		broadcast:  make(chan []byte),
		register:   make(chan *gorillaClient),
		unregister: make(chan *gorillaClient),
	}
	go h.run() // ends with the process
	return h
}

func (h *gorillaHub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
			c.send <- []byte(subscribed)
		case c := <-h.unregister:
			h.drop(c)
		case message := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- message:
				default:
					h.drop(c)
				}
			}
		}
	}
}

func (h *gorillaHub) drop(c *gorillaClient) {
	if h.clients[c] {
		delete(h.clients, c)
		close(c.send)
	}
}

// write writes what is sent, and what has come in the meantime in the same
// message, line by line. It ends when the client is dropped.
func (c *gorillaClient) write() {
	defer c.conn.Close()
	for message := range c.send {
		w, err := c.conn.NextWriter(websocket.TextMessage)
		if err != nil {
			return
		}
		_, _ = w.Write(message)
		for range len(c.send) {
			more, ok := <-c.send
			if !ok {
				break
			}
			_, _ = w.Write([]byte{'\n'})
			_, _ = w.Write(more)
		}
		if w.Close() != nil {
			return
		}
	}
}

func startGorillaHub(Config) (net.Addr, error) {
	var mu sync.Mutex
	hubs := make(map[string]*gorillaHub)
	room := func(name string) *gorillaHub {
		mu.Lock()
		defer mu.Unlock()
		if hubs[name] == nil {
			hubs[name] = newGorillaHub()
		}
		return hubs[name]
	}
	var upgrader websocket.Upgrader
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		if r.URL.Path == "/publish" {
			defer conn.Close()
			for {
				_, message, err := conn.ReadMessage()
				if err != nil {
					return
				}
				name, text := cutRoom(message)
				room(name).broadcast <- text
			}
		}
		h := room(r.URL.Query().Get("room"))
		c := &gorillaClient{conn: conn, send: make(chan []byte, gorillaQueue)}
		h.register <- c
		go c.write()
		go func() { // so that what net/http holds is freed; ends with the conn
			defer func() { h.unregister <- c }()
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					return
				}
			}
		}()
	}))
}

// gwsRooms are rooms of gws and its broadcaster, which makes a frame once and
// has a conn's own queue write it.
type gwsRooms struct {
	gws.BuiltinEventHandler
	mu    sync.Mutex
	rooms map[string]*gwsRoom
}

type gwsRoom struct {
	mu    sync.Mutex
	conns map[*gws.Conn]struct{}
}

const gwsRoomKey = "room"

func (s *gwsRooms) room(name string) *gwsRoom {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[name] == nil {
		s.rooms[name] = &gwsRoom{conns: make(map[*gws.Conn]struct{})}
	}
	return s.rooms[name]
}

func (s *gwsRooms) OnClose(c *gws.Conn, _ error) {
	if name, ok := c.Session().Load(gwsRoomKey); ok {
		r := s.room(name.(string))
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, c)
	}
}

func (s *gwsRooms) join(c *gws.Conn, name string) {
	c.Session().Store(gwsRoomKey, name)
	r := s.room(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = struct{}{}
	_ = c.WriteString(subscribed)
}

func (s *gwsRooms) OnMessage(_ *gws.Conn, m *gws.Message) {
	name, text := cutRoom(bytes.Clone(m.Bytes()))
	_ = m.Close()
	r := s.room(name)
	b := gws.NewBroadcaster(gws.OpcodeText, text)
	defer b.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = b.Broadcast(c)
	}
}

func startGws(Config) (net.Addr, error) {
	echo := gws.NewUpgrader(gwsEcho{}, nil)
	rooms := &gwsRooms{rooms: make(map[string]*gwsRoom)}
	member := gws.NewUpgrader(rooms, nil)
	return serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader := member
		if r.URL.Path == "/" {
			upgrader = echo
		}
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		if r.URL.Path == "/subscribe" {
			rooms.join(c, r.URL.Query().Get("room"))
		}
		go c.ReadLoop() // ends with the conn; so that what net/http holds is freed
	}))
}
