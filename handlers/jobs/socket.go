package jobs

import (
	"bytes"
	"crypto/rand"
	"encoding/json"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers"
)

// socket is a WebSocket that follows one job, or follows and submits those of a
// client.
//
// Loop-owned: call only from its event loop.
type socket struct {
	s      *Service
	scope  *asgi.Scope // without its fields, which would stay as long as the connection
	x      asgi.Exchange
	root   string
	client string
	group  *group // nil if it follows one job
	follow follower

	number   uint64 // of the binary messages
	accepted bool   // the handshake is
	over     bool
}

// Close codes: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1.
const (
	closeNormal = 1000
	closePolicy = 1008
	closeTooBig = 1009
)

// maxCommandBytes bounds a text message, which is decoded on a loop: a type and an id
// are a tenth of it.
const maxCommandBytes = 1 << 10

func (s *Service) openWebSocket(scope *asgi.Scope, x asgi.Exchange) asgi.Receiver {
	k := &socket{s: s, scope: scope, x: x, root: root(scope)}
	k.follow.x, k.follow.run = x, k.look
	id, part := split(handlers.Path(scope))
	var p *problem
	switch {
	case id == partEvents && part == "":
		p = k.openGroup()
	case part == partEvents:
		_, p = s.followJob(&k.follow, id)
	default:
		p = unknown
	}
	if p != nil {
		return handlers.Refuse(scope, x, p.Status, p.Detail+"\n")
	}
	k.scope = scope.Lasting()
	k.scope.QueryString = scope.QueryString
	return k
}

// openGroup follows the jobs of the client, or of the socket if it names none.
func (k *socket) openGroup() (p *problem) {
	if k.client, p = k.s.client(k.scope); p != nil {
		return p
	}
	if k.client != "" {
		p = k.s.followGroup(&k.follow, k.client)
		k.group = k.follow.group
		return p
	}
	k.client = "socket " + rand.Text() // so that the sockets take turns
	k.group = newGroup(k.client)
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.follow(&k.follow, nil, k.group)
	return nil
}

// Receive handles an event of the connection.
func (k *socket) Receive(ev asgi.ReceiveEvent) {
	finished := false
	defer func() {
		if !finished {
			k.end() // a panic ends the exchange without a disconnect
		}
	}()
	switch ev := ev.(type) {
	case *asgi.WebSocketConnect:
		if k.x.Send(&asgi.WebSocketAccept{}) == nil {
			k.accepted = true
			k.flush()
		}
	case *asgi.WebSocketReceive:
		k.receive(ev)
	case *asgi.Writable:
		k.x.Resume()
		k.flush()
	case *asgi.Drain:
		k.send(struct {
			Type string `json:"type"`
		}{"drain"})
	case *asgi.WebSocketDisconnect:
		k.end()
	}
	finished = true
}

func (k *socket) receive(ev *asgi.WebSocketReceive) {
	switch {
	case k.over:
	case k.group == nil:
		k.close(closePolicy, "nothing is expected here")
	case ev.Kind == asgi.Binary:
		k.submit(ev.Data)
	default:
		k.command(ev.Data)
	}
	if !k.over && k.x.Congested() {
		k.x.Pause() // until it has taken the answers
	}
}

// refused tells that a message was not carried out.
type refused struct {
	Type   string   `json:"type"`
	Number uint64   `json:"n,omitempty"`
	ID     string   `json:"id,omitempty"`
	Error  *problem `json:"error"`
}

// submit makes a job of a message. It ends with the connection.
func (k *socket) submit(body []byte) {
	k.number++
	p := tooLarge
	var j *job
	if int64(len(body)) <= k.s.config.MaxBodyBytes {
		r := &Request{Scope: k.scope, Body: bytes.Clone(body)}
		j, p = k.s.submit(r, k.client, k.group, k)
	}
	if p != nil {
		k.send(refused{Type: "refused", Number: k.number, Error: p})
		return
	}
	k.s.locate(j)
	k.s.mu.Lock()
	told := k.s.publish(j)
	k.follow.unlist(j) // the answer is the news
	st := j.status(k.root, k.s.config.KeepResults)
	k.s.mu.Unlock()
	st.Type, st.Number = "accepted", k.number
	k.send(st)
	tell(told)
}

// command carries out a text message.
func (k *socket) command(text []byte) {
	if len(text) > maxCommandBytes {
		k.close(closeTooBig, "a command has at most 1024 bytes")
		return
	}
	var c struct{ Type, ID string }
	if json.Unmarshal(text, &c) != nil || c.Type != "cancel" {
		k.close(closePolicy, "not understood")
		return
	}
	if !k.s.cancel(c.ID, k.group) {
		k.send(refused{Type: "refused", ID: c.ID, Error: unknown})
	}
}

func (k *socket) look() {
	if k.s.look(&k.follow) {
		k.flush()
	}
}

// flush sends what is new, until the connection is congested.
func (k *socket) flush() {
	for k.accepted && !k.over && !k.x.Congested() {
		st, fresh := k.s.next(&k.follow, k.root)
		if !fresh {
			return
		}
		st.Type = "job"
		k.send(st)
		if k.group == nil && st.State.final() {
			k.close(closeNormal, "the job has ended")
		}
	}
}

func (k *socket) send(v any) {
	if k.over {
		return
	}
	if k.x.Send(&asgi.WebSocketSend{Kind: asgi.Text, Data: encode(v)}) != nil {
		k.s.unfollow(&k.follow) // the peer is gone: the disconnect is on its way
	}
}

func (k *socket) close(code int, reason string) {
	k.end()
	_ = k.x.Send(&asgi.WebSocketClose{Code: code, Reason: reason})
}

// end ends what is followed, and the jobs that end with the connection.
func (k *socket) end() {
	if k.over {
		return
	}
	k.over = true
	if k.group != nil {
		k.s.abandon(k, k.group)
	}
	k.s.unfollow(&k.follow)
}
