package engine

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gale-server/gale/asgi"
)

// Proxies are the peers that are believed when they say who is behind them: with
// X-Forwarded-For, to which each proxy appends the address of its own peer, and
// X-Forwarded-Proto. A client can send both, so that nobody else is believed.
//
// Safe for concurrent use: immutable. Nil trusts nobody.
type Proxies struct {
	all   bool
	unix  bool // who comes over a Unix socket
	trust []netip.Prefix
}

// NewProxies reads addresses ("127.0.0.1"), networks ("10.0.0.0/8"), "unix" for
// whoever comes over a Unix socket, and "*" for everybody.
func NewProxies(trusted []string) (*Proxies, error) {
	if len(trusted) == 0 {
		return nil, nil
	}
	p := new(Proxies)
	for _, text := range trusted {
		switch text {
		case "*":
			p.all = true
			continue
		case "unix":
			p.unix = true
			continue
		}
		if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			p.trust = append(p.trust, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is no address, no network, not unix and not *", text)
		}
		p.trust = append(p.trust, network.Masked())
	}
	return p, nil
}

// Apply sets the Client and the Scheme of an http scope to what its peer says, if
// that is a proxy that is trusted.
func (p *Proxies) Apply(s *asgi.Scope) {
	if p == nil || !p.trusts(s.Client) {
		return
	}
	if client, ok := p.client(s.Headers); ok {
		s.Client = asgi.Address{Host: client}
	}
	switch last := strings.ToLower(lastOf(s.Headers, "x-forwarded-proto")); last {
	case "https", "wss":
		s.Scheme = "https"
	case "http", "ws":
		s.Scheme = "http"
	}
}

// maxProxies bounds the proxies in X-Forwarded-For that are walked over: no request
// takes that many, and every one costs time on a loop.
const maxProxies = 32

func (p *Proxies) trusts(peer asgi.Address) bool {
	addr, err := netip.ParseAddr(peer.Host)
	if err != nil { // the far end of a Unix socket has no address
		return p.all || p.unix
	}
	return p.contains(addr)
}

func (p *Proxies) contains(addr netip.Addr) bool {
	if p.all {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, network := range p.trust {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// client walks X-Forwarded-For from its end, where the nearest proxy has written,
// to the first address that is no trusted proxy: what is before it anybody may have
// made up. Of what is no address nothing more is believed, nor of what is beyond
// maxProxies.
func (p *Proxies) client(headers []asgi.Header) (client string, ok bool) {
	walked := 0
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Name != "x-forwarded-for" {
			continue
		}
		for list, more := headers[i].Value, true; more; {
			var entry string
			if list, entry, more = cutLast(list); entry == "" {
				continue // an empty element of a list (RFC 9110 section 5.6.1.2)
			}
			addr, err := forwardedAddr(entry)
			if err != nil {
				return client, ok
			}
			client, ok = addr.String(), true
			if walked++; walked == maxProxies || !p.contains(addr) {
				return client, ok
			}
		}
	}
	return client, ok
}

// cutLast cuts the last element off a list.
func cutLast(list string) (before, last string, more bool) {
	at := strings.LastIndexByte(list, ',')
	return list[:max(at, 0)], strings.Trim(list[at+1:], " \t"), at >= 0
}

// forwardedAddr reads an address with or without brackets and a port, which some
// proxies write.
func forwardedAddr(entry string) (netip.Addr, error) {
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return addr.Unmap().WithZone(""), err
}

// lastOf is the last element of a field that is a list.
func lastOf(headers []asgi.Header, name string) string {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Name == name {
			_, last, _ := cutLast(headers[i].Value)
			return last
		}
	}
	return ""
}

// WebSocketScheme is the scheme of a WebSocket whose handshake came over one of
// HTTP.
func WebSocketScheme(http string) string {
	if http == "https" {
		return "wss"
	}
	return "ws"
}
