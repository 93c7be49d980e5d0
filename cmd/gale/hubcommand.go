package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/gale-server/gale/asgi/http1"
	"github.com/gale-server/gale/asgi/server"
	"github.com/gale-server/gale/asgi/websocket"
	"github.com/gale-server/gale/handlers"
	"github.com/gale-server/gale/handlers/cors"
	"github.com/gale-server/gale/handlers/hub"
)

// hubFlags are the flags of gale serve.
type hubFlags struct {
	*serveFlags
	proxies   *proxyFlags
	config    setting[string]
	check     bool
	mount     setting[string]
	origins   setting[[]string]
	anonymous setting[*hub.Grants]
	// anonymousGiven says that the file's [anonymous] does not count.
	anonymousGiven bool
	keys           setting[[]string]
	secret         setting[string]
	certificate    setting[string]
	key            setting[string]
	metrics        setting[bool]
}

func newHubFlags() *hubFlags {
	return &hubFlags{
		serveFlags: newServeFlags("127.0.0.1:8080", "off"),
		proxies:    newProxyFlags(),
		config:     setting[string]{name: "config", usage: "read settings from this `FILE`, in TOML", parse: asIs},
		mount:      setting[string]{name: "hub-path", usage: "serve the hub under this `PATH`", value: "/hub", parse: parseMount},
		origins: setting[[]string]{
			name:  "allowed-origins",
			usage: "let pages of these foreign `ORIGINS` in, each scheme://host[:port], with commas between; * is any",
			parse: func(s string) ([]string, error) {
				_, err := cors.New(list(s))
				return list(s), err
			},
		},
		anonymous: setting[*hub.Grants]{
			name:  "anonymous",
			usage: "let clients without a token `DO` this in every channel: none, subscribe, or all",
			value: "none",
			parse: parseGrants,
		},
		keys: setting[[]string]{
			name:  "api-keys",
			usage: "serve the API of servers to those who have one of these `KEYS`; better by the environment, for others see flags",
			parse: parseKeys,
		},
		secret: setting[string]{
			name:  "jwt-secret",
			usage: "take tokens signed with this `SECRET` (HS256), and not those of the file; better by the environment",
			parse: asIs,
		},
		certificate: setting[string]{name: "tls-certificate", usage: "serve with TLS, with the certificate in this `FILE`; needs --engine nethttp", parse: asIs},
		key:         setting[string]{name: "tls-key", usage: "the `FILE` of the certificate's key", parse: asIs},
		metrics: setting[bool]{
			name:  "metrics",
			usage: "serve figures for Prometheus at /metrics, to everybody: `on|off`",
			value: "off",
			parse: parseSwitch,
		},
	}
}

func (f *hubFlags) flags() []cli.Flag {
	check := &cli.BoolFlag{Name: "check", Usage: "see whether the settings are right, and serve nothing", Destination: &f.check}
	return append([]cli.Flag{f.config.flag(), check}, append(slices.Concat(f.serveFlags.flags(), f.proxies.flags()),
		f.mount.flag(), f.origins.flag(), f.anonymous.flag(), f.keys.flag(), f.secret.flag(),
		f.certificate.flag(), f.key.flag(), f.metrics.flag())...)
}

func asIs(s string) (string, error) { return s, nil }

func parseMount(s string) (string, error) {
	if !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.ContainsAny(s, "*? %#") || strings.Contains(s, "//") {
		return "", fmt.Errorf("%q is no path to mount on; write for example /hub", s)
	}
	return s, nil
}

// list splits what has commas between.
func list(s string) []string {
	var parts []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// minAPIKeyBytes is what package api asks for.
const minAPIKeyBytes = 16

var errAPIKey = fmt.Errorf("a key has at least %d characters, and no comma", minAPIKeyBytes)

func parseKeys(s string) ([]string, error) {
	keys := list(s)
	if len(keys) == 0 && s != "" {
		return nil, errors.New("there are commas, and no key between them")
	}
	for _, key := range keys {
		if len(key) < minAPIKeyBytes {
			return nil, errAPIKey
		}
	}
	return keys, nil
}

func parseGrants(s string) (*hub.Grants, error) {
	switch s {
	case "none":
		return nil, nil
	case "subscribe":
		return &hub.Grants{Subscribe: []string{"*"}}, nil
	case "all":
		everything := hub.Everything
		return &everything, nil
	}
	return nil, fmt.Errorf("%q is none of none, subscribe, all", s)
}

// fromFile takes what the file has for flags.
func (f *hubFlags) fromFile(c *cli.Command, file *hubFile) {
	f.anonymousGiven = c.IsSet(f.anonymous.name)
	for _, s := range []struct {
		to interface {
			fromFile(c *cli.Command, value, place string)
		}
		key   string
		value *string
	}{
		{&f.addr, "addr", file.Addr},
		{&f.engine, "engine", file.Engine},
		{&f.logLevel, "log-level", file.LogLevel},
		{&f.logFormat, "log-format", file.LogFormat},
		{&f.accessLog, "access-log", file.AccessLog},
		{&f.drain, "drain-timeout", file.DrainTimeout},
		{&f.mount, "hub-path", file.HubPath},
		{&f.metrics, "metrics", file.Metrics},
		{&f.proxies.headers, "proxy-headers", file.ProxyHeaders},
		{&f.proxies.allowed, "forwarded-allow-ips", joined(file.ForwardedAllowIPs)},
		{&f.certificate, "tls.certificate", near(file, file.TLS.Certificate)},
		{&f.key, "tls.key", near(file, file.TLS.Key)},
		{&f.origins, "allowed-origins", joined(file.AllowedOrigins)},
		{&f.keys, "api.keys", joined(file.API.Keys)},
	} {
		if s.value != nil {
			s.to.fromFile(c, *s.value, file.place(s.key))
		}
	}
}

func near(f *hubFile, path *string) *string {
	if path == nil {
		return nil
	}
	whole := f.near(*path)
	return &whole
}

func joined(list []string) *string {
	if list == nil {
		return nil
	}
	all := strings.Join(list, ",")
	return &all
}

func hubCommand() *cli.Command {
	f := newHubFlags()
	return subcommand(&cli.Command{
		Name:  "serve",
		Usage: "serve a hub: publish and subscribe over WebSocket, SSE and long-polling; and files and programs beside it",
		Description: "Serves a hub without any code. A flag wins over the environment, that over the\n" +
			"file, and that over the default. Channels, keys for tokens, limits, and files and\n" +
			"programs that are served beside the hub are in the file only. To try it:\n\n" +
			"   gale serve --anonymous all",
		Flags: f.flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			return f.run(ctx, c)
		},
	})
}

func (f *hubFlags) run(ctx context.Context, c *cli.Command) (err error) {
	file := &hubFile{path: "the settings"}
	if f.config.value != "" {
		if file, err = readHubFile(f.config.value); err != nil {
			return err
		}
	}
	f.fromFile(c, file)
	openLog := f.serverLog
	if f.check {
		openLog = func(root *cli.Command) (*slog.Logger, error) { return f.logger(root.ErrWriter) }
	}
	logger, err := openLog(c.Root())
	if err != nil {
		return err
	}
	setup, err := f.setup(file, logger)
	if err != nil {
		return err
	}
	f.secure = setup.secure
	mux := new(handlers.Mux)
	var m *mounts
	if slices.ContainsFunc(setup.mounts, func(one mount) bool { return one.is == kindPython }) {
		setup.config.Ask = func(who *hub.Identity, what hub.Action, channel string, answer func(error)) {
			m.ask(who, what, channel, answer)
		}
	}
	h, err := setup.build(mux)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	m, err = newMounts(mux, setup.mounts, h, logger, func(i int, err error) error { return file.wrong(fmt.Sprintf("mount[%d]", i), err) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	message := h.Config().MaxPublishBytes*6 + 64<<10 // in JSON, and what is around it
	config := server.Config{
		Handler:        mux,
		Logger:         logger,
		AllowedOrigins: setup.origins,
		TrustedProxies: setup.proxies,
		HTTP:           http1.Config{MaxBodyBytes: setup.maxBody(message)},
		WebSocket:      websocket.Config{MaxMessageBytes: int64(message)},
		// Most requests wait, and browsers that leave end their stream.
		HalfClose: server.HalfCloseDisconnects,
	}
	if f.check {
		return f.checked(c, config)
	}
	var bound net.Addr
	m.started = func() { f.welcome(c.Root().Writer, bound, &setup) }
	defer m.reloadOnHangup(logger)()
	if len(m.pythons) > 0 {
		config.LifespanTimeout = lifespanTimeout
	}
	return f.serve(ctx, c, config, func(addr net.Addr) { bound = addr })
}

// checked sees whether there could be an engine, too.
func (f *hubFlags) checked(c *cli.Command, config server.Config) error {
	name, err := f.engine.get()
	if err != nil {
		return err
	}
	if _, err = f.addr.get(); err != nil {
		return err
	}
	if _, err = f.accessLog.get(); err != nil {
		return err
	}
	if _, err = f.drain.get(); err != nil {
		return err
	}
	srv, err := newEngine(name, config, f.secure)
	if err != nil {
		return err
	}
	if err := srv.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Root().Writer, "the settings are right")
	return err
}

// welcome says what is where. The program goes on if nobody can read it.
func (f *hubFlags) welcome(w io.Writer, addr net.Addr, s *hubSetup) {
	here, _ := urls(addr)
	if s.secure != nil {
		here = strings.Replace(here, "http://", "https://", 1)
	}
	fmt.Fprintf(w, "gale serves a hub on %s under %s\n", here, s.mount)
	for _, one := range s.mounts {
		fmt.Fprintf(w, "  and %v under %s/\n", one.target(), one.path)
	}
	if len(s.keys) == 0 {
		fmt.Fprintln(w, "There is no API for servers, for there is no key for it: see --api-keys.")
	}
}
