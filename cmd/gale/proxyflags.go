package main

import (
	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi/nethttp"
	"github.com/gale-server/gale/handlers"
)

// proxyFlags say which proxies are believed about who is behind them.
type proxyFlags struct {
	headers setting[bool]
	allowed setting[[]string]
}

func newProxyFlags() *proxyFlags {
	return &proxyFlags{
		headers: setting[bool]{
			name:  "proxy-headers",
			usage: "believe X-Forwarded-For and X-Forwarded-Proto of those in --forwarded-allow-ips: `on|off`",
			value: "on",
			parse: parseSwitch,
		},
		allowed: setting[[]string]{
			name:  "forwarded-allow-ips",
			usage: "`LIST` of addresses and networks of proxies that are believed, with commas between; unix is whoever comes over a Unix socket, * everybody",
			value: "127.0.0.1,::1,unix",
			parse: parseProxies,
		},
	}
}

func (p *proxyFlags) flags() []cli.Flag { return []cli.Flag{p.headers.flag(), p.allowed.flag()} }

// trusted are the proxies that are believed.
func (p *proxyFlags) trusted() (proxies []string, err error) {
	var believed bool
	get(&err, &believed, &p.headers)
	get(&err, &proxies, &p.allowed)
	if !believed {
		return nil, err
	}
	return proxies, err
}

func parseSwitch(s string) (bool, error) {
	s, err := oneOf("on", "off")(s)
	return s == "on", err
}

func parseProxies(s string) ([]string, error) {
	proxies := list(s)
	return proxies, checkConfig(nethttp.Config{TrustedProxies: proxies})
}

// checkConfig says what an engine finds wrong with a part of its config.
func checkConfig(c nethttp.Config) error {
	c.Handler = handlers.NewFixed(200, "")
	if _, err := nethttp.NewHandler(c); err != nil {
		return reasonOf(err)
	}
	return nil
}
