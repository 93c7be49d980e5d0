package python

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/gale-server/gale/asgi"
)

// pumps are the links to workers on loops of their own, for engines whose loops serve no
// sockets: one for each worker.
//
// Safe for concurrent use.
type pumps struct {
	mu    sync.Mutex
	links map[*worker]*link
}

func (p *pumps) to(h *Handler, w *worker) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.links[w]; ok {
		return l, nil
	}
	l, err := w.open(h, newPump(), func(*link) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, w)
	})
	if err != nil {
		return nil, err
	}
	if p.links == nil {
		p.links = make(map[*worker]*link)
	}
	p.links[w] = l
	return l, nil
}

const (
	// What waits to be written above which a pump is congested, and at which it is no
	// more.
	pumpHighBytes = 1 << 20
	pumpLowBytes  = 256 << 10
	pumpReadBytes = 64 << 10
)

// pump is a loop with one socket. What is posted to it runs in order and one at a time.
// Three goroutines serve it, from Attach until the socket is closed: one runs what was
// posted, one reads, and one writes.
//
// Safe for concurrent use, but for what is the loop's.
type pump struct {
	file *os.File

	mu      sync.Mutex
	changed sync.Cond
	tasks   []func()
	out     []byte // what waits to be written
	writing int    // bytes that are being written
	above   bool   // it is congested, and Drained is owed
	closing bool   // the writer ends when nothing waits
	ended   bool

	receiver  asgi.SocketReceiver // the loop's
	scheduled bool                // the loop's
	paused    bool
	reason    error // why it was closed
}

var _ asgi.Loop = (*pump)(nil)

func newPump() *pump {
	p := &pump{}
	p.changed.L = &p.mu
	return p
}

// Post runs fn on the loop.
func (p *pump) Post(fn func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.tasks = append(p.tasks, fn)
	p.changed.Broadcast()
	return true
}

// Attach serves the loop's socket.
func (p *pump) Attach(file *os.File, open func(asgi.Socket) asgi.SocketReceiver) error {
	if p.file != nil {
		_ = file.Close()
		return errors.ErrUnsupported
	}
	p.file = file
	p.tasks = append([]func(){func() { p.receiver = open(p) }}, p.tasks...)
	go p.run()  // ends when the socket is closed
	go p.read() // ends when the socket is closed
	go p.write()
	return nil
}

// run is the loop.
func (p *pump) run() {
	for {
		p.mu.Lock()
		for len(p.tasks) == 0 && !p.ended {
			p.changed.Wait()
		}
		tasks := p.tasks
		p.tasks = nil
		ended := p.ended
		p.mu.Unlock()
		for _, task := range tasks {
			task()
		}
		if p.scheduled {
			p.scheduled = false
			p.receiver.Turn()
		}
		if ended && len(tasks) == 0 {
			_ = p.file.Close()
			p.receiver.Closed(p.reason)
			return
		}
	}
}

// read delivers what the other side sends.
func (p *pump) read() {
	buf := make([]byte, pumpReadBytes)
	taken := make(chan struct{})
	for {
		p.mu.Lock()
		for p.paused && !p.ended {
			p.changed.Wait()
		}
		p.mu.Unlock()
		n, err := p.file.Read(buf)
		if n > 0 {
			if !p.Post(func() { p.receiver.Data(buf[:n]); taken <- struct{}{} }) {
				return
			}
			<-taken
		}
		if err != nil {
			p.end(err)
			return
		}
	}
}

// write writes what waits.
func (p *pump) write() {
	for {
		p.mu.Lock()
		for len(p.out) == 0 && !p.ended && !p.closing {
			p.changed.Wait()
		}
		out, over := p.out, p.ended || len(p.out) == 0
		p.out, p.writing = nil, len(out)
		p.mu.Unlock()
		if over {
			p.end(nil)
			return
		}
		_, err := p.file.Write(out)
		p.mu.Lock()
		p.writing = 0
		drained := p.above && len(p.out) <= pumpLowBytes
		if drained {
			p.above = false
		}
		p.mu.Unlock()
		if err != nil {
			p.end(err)
			return
		}
		if drained {
			p.Post(func() { p.receiver.Drained() })
		}
	}
}

// end closes the socket, after what was posted.
func (p *pump) end(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	if p.reason = reason; reason == nil && !p.closing {
		p.reason = io.EOF
	}
	shutDown(p.file) // whoever reads or writes goes on
	p.changed.Broadcast()
}

func (p *pump) Write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
	p.above = p.above || len(p.out)+p.writing > pumpHighBytes
	p.changed.Broadcast()
}

func (p *pump) Buffered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out) + p.writing
}

func (p *pump) Congested() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.above
}

// Schedule has Turn called when what was posted by now has run.
func (p *pump) Schedule() { p.scheduled = true }

func (p *pump) Pause()  { p.setPaused(true) }
func (p *pump) Resume() { p.setPaused(false) }

func (p *pump) setPaused(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.changed.Broadcast()
}

func (p *pump) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	p.changed.Broadcast()
}

func (p *pump) Abort() { p.end(nil) }
