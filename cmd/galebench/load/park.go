package load

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// Parked are requests that a server has taken and does not answer.
//
// Not safe for concurrent use.
type Parked struct {
	server netip.AddrPort
	conns  []*conn
	path   string
	body   string
}

// Park sends n requests for path/park, each on a connection of its own, and waits until
// the server says at path/parked that it has them all. body is what they are answered
// with in the end. The caller closes them.
func Park(server netip.AddrPort, path string, n int, body string) (*Parked, error) {
	p := &Parked{server: server, path: path, body: body}
	request := NewPage(path+"/park", body).batch(1)
	for i := range n {
		c, err := dial(server, 1+i/20000)
		if err == nil {
			p.conns = append(p.conns, c)
			err = c.send(request)
		}
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("request %d of %d: %w", i+1, n, err)
		}
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		text, err := p.get("/parked")
		if parked, _ := strconv.Atoi(text); err == nil && parked == n {
			return p, nil
		}
		if time.Now().After(deadline) {
			p.Close()
			return nil, fmt.Errorf("load: %d requests were sent, and the server has %s: %w", n, text, err)
		}
	}
}

// get asks on a connection of its own.
func (p *Parked) get(path string) (string, error) {
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + p.server.String() + p.path + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// Release has the server answer, and checks every answer.
func (p *Parked) Release() error {
	if _, err := p.get("/release"); err != nil {
		return err
	}
	buf := make([]byte, maxHead)
	for i, c := range p.conns {
		replies := NewPage("/park", p.body).newReader()
		for answered := 0; answered == 0; {
			n, err := c.readSome(buf)
			if err == nil {
				answered, err = replies.read(buf[:n])
			}
			if err != nil {
				return fmt.Errorf("request %d of %d: %w", i+1, len(p.conns), err)
			}
		}
	}
	return nil
}

// Close resets all connections.
func (p *Parked) Close() {
	for _, c := range p.conns {
		c.close()
	}
	p.conns = nil
}
