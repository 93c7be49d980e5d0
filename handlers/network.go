package handlers

import (
	"net/netip"

	"github.com/gale-server/gale/asgi"
)

// NetworkOf returns what counts as one client where clients take turns, or have a rate
// or a number: an address of IPv4, or 64 bits of one of IPv6, of which a host takes as
// many as it likes (https://www.rfc-editor.org/rfc/rfc7421#section-4.1). It is "" for an
// address that is not known, as behind a Unix socket. Behind a proxy that the server was
// not told of it is the proxy's.
func NetworkOf(scope *asgi.Scope) string {
	host := scope.Client.Host
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, _ := ip.WithZone("").Prefix(64) // an address of 128 bits has one
	return network.String()
}
