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
	network string // as of net.Listen: "tcp" or "unix"
	where   string
}

func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.where
	}
	return a.where
}

// parseAddress understands host:port, :port for all addresses of the machine,
// and unix:path.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return address{}, fmt.Errorf("%q has no path; write for example unix:/tmp/gale.sock", s)
		}
		return address{network: "unix", where: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q is no address; write host:port, for example 127.0.0.1:8080", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return address{}, fmt.Errorf("%q: a port is a number from 0 to 65535", s)
	}
	return address{network: "tcp", where: net.JoinHostPort(host, port)}, nil
}

// urls returns where a browser finds a server that listens on addr: on this
// machine, and, if it listens on every address, from elsewhere ("" if not).
func urls(addr net.Addr) (here, elsewhere string) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String(), ""
	}
	port := strconv.Itoa(tcp.Port)
	if !tcp.IP.IsUnspecified() {
		return "http://" + net.JoinHostPort(tcp.IP.String(), port), ""
	}
	if ip := privateIP(); ip != "" {
		elsewhere = "http://" + net.JoinHostPort(ip, port)
	}
	return "http://localhost:" + port, elsewhere
}

// privateIP is an address other devices of the same network may know us by.
func privateIP() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && prefix.Addr().IsPrivate() {
			return prefix.Addr().String()
		}
	}
	return ""
}
