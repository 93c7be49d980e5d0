package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// address is where to listen.
type address struct {
	network string // as of net.Listen: "tcp" or "unix"; or "fd"
	where   string
}

// listen has e listen there.
func (a address) listen(e engine) (net.Addr, error) {
	if a.network != "fd" {
		return e.Listen(a.network, a.where)
	}
	fd, err := parseDescriptor(a.where)
	if err != nil {
		return nil, err
	}
	l, err := inherited(fd)
	if err != nil {
		return nil, err
	}
	return e.ListenOn(l)
}

func (a address) String() string {
	if a.network == "tcp" {
		return a.where
	}
	return a.network + ":" + a.where
}

// parseAddress understands host:port, :port for all addresses of the machine,
// unix:path, and fd:number for a socket that was inherited.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return address{}, fmt.Errorf("%q has no path; write for example unix:/tmp/gale.sock", s)
		}
		return address{network: "unix", where: path}, nil
	}
	if fd, ok := strings.CutPrefix(s, "fd:"); ok {
		_, err := parseDescriptor(fd)
		return address{network: "fd", where: fd}, err
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q is no address; write host:port, for example 127.0.0.1:8080", s)
	}
	if _, err := parsePort(port); err != nil {
		return address{}, fmt.Errorf("%q: a port is a number from 0 to 65535", s)
	}
	return address{network: "tcp", where: net.JoinHostPort(host, port)}, nil
}

// urls returns where a browser finds a server that listens on addr: on this
// machine, and, if it listens on every address, from elsewhere ("" if not).
func urls(addr net.Addr) (here, elsewhere string) {
	bound, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String(), "" // a Unix socket
	}
	if !bound.Addr().IsUnspecified() {
		return "http://" + bound.String(), ""
	}
	if ip := privateIP(); ip.IsValid() {
		elsewhere = "http://" + netip.AddrPortFrom(ip, bound.Port()).String()
	}
	return "http://localhost:" + strconv.Itoa(int(bound.Port())), elsewhere
}

// privateIP is an address other devices of the same network may know us by; the
// zero Addr if there is none.
func privateIP() netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && prefix.Addr().IsPrivate() {
			return prefix.Addr()
		}
	}
	return netip.Addr{}
}
