package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/cursor"
	"github.com/gale-server/gale/handlers/hub/jwt"
)

// hubSetup is what flags, environment and file have come to.
type hubSetup struct {
	mount        string
	origins      []string
	proxies      []string // that are believed
	keys         []string // of the API of servers
	metrics      bool
	secure       *tls.Config
	authenticate hub.Authenticate
	config       hub.Config
	cursors      *cursor.Signer
	mounts       []mount // what is served beside the hub
}

// maxBody is the longest body of a request that anybody here takes, in bytes. Who
// takes less says so itself.
func (s *hubSetup) maxBody(message int) int64 {
	most := int64(max(message, 4<<20))
	for i := range s.mounts {
		most = max(most, s.mounts[i].cgi.MaxBodyBytes, s.mounts[i].python.MaxBodyBytes)
	}
	return most
}

// revocationMargin is how much longer the hub remembers whom it has shut out than a
// token can be good.
const revocationMargin = time.Hour

// setup puts everything together, or says what is wrong with it.
func (f *hubFlags) setup(file *hubFile, logger *slog.Logger) (s hubSetup, err error) {
	get(&err, &s.mount, &f.mount)
	get(&err, &s.origins, &f.origins)
	get(&err, &s.keys, &f.keys)
	get(&err, &s.metrics, &f.metrics)
	if err == nil {
		s.proxies, err = f.proxies.trusted()
	}
	if err == nil && strings.Contains(strings.Join(file.API.Keys, ""), ",") { // it would make two of one
		err = file.wrong("api.keys", errAPIKey)
	}
	if err == nil {
		s.secure, err = f.certificates()
	}
	var verifier *jwt.Verifier
	if err == nil {
		verifier, err = f.verifier(file)
	}
	if err == nil {
		s.authenticate, err = f.authenticate(file, verifier)
	}
	if err == nil {
		s.config, err = hubConfig(file)
	}
	if verifier != nil {
		s.config.RevocationAge = min(verifier.LongestLife(), math.MaxInt64-revocationMargin) + revocationMargin
	}
	if err == nil {
		s.cursors, err = hubCursors(file)
	}
	if err == nil {
		s.mounts, err = file.mounts(s.mount, "/healthz", "/metrics")
	}
	s.config.Logger = logger
	return s, err
}

// get takes the value of a setting, unless there is an error already.
func get[T any](err *error, to *T, from *setting[T]) {
	if *err == nil {
		*to, *err = from.get()
	}
}

// certificates reads the certificate, if there is one.
func (f *hubFlags) certificates() (*tls.Config, error) {
	certificate, key := f.certificate.value, f.key.value
	switch {
	case certificate == "" && key == "":
		return nil, nil
	case certificate == "" || key == "":
		return nil, usagef("TLS needs both, --tls-certificate and --tls-key")
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, usagef("TLS: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// authenticate says who may come in: who has a token, everybody, or both.
func (f *hubFlags) authenticate(file *hubFile, verifier *jwt.Verifier) (hub.Authenticate, error) {
	grants, err := f.anonymous.get()
	if err != nil {
		return nil, err
	}
	if a := file.Anonymous; a != nil && !f.anonymousGiven {
		for name, list := range map[string][]string{"subscribe": a.Subscribe, "publish": a.Publish, "presence": a.Presence} {
			for _, p := range list {
				if p != "*" && !hub.ValidChannel(strings.TrimSuffix(p, "*")) {
					return nil, file.wrong("anonymous."+name, fmt.Errorf("%q is no channel and no pattern", p))
				}
			}
		}
		grants = &hub.Grants{Subscribe: a.Subscribe, Publish: a.Publish, Presence: a.Presence}
	}
	switch {
	case verifier == nil && grants == nil:
		return nil, usagef("nobody could come in: set keys for tokens (jwt.keys in the file, or GALE_JWT_SECRET), or say what everybody may do with --anonymous")
	case verifier == nil:
		return hub.Anyone(*grants), nil
	case grants == nil:
		return verifier.Authenticate, nil
	}
	anyone := hub.Anyone(*grants)
	return func(scope *asgi.Scope, token string) (hub.Identity, error) {
		if token == "" {
			return anyone(scope, token)
		}
		return verifier.Authenticate(scope, token)
	}, nil
}

// verifier knows the tokens, if there are keys.
func (f *hubFlags) verifier(file *hubFile) (*jwt.Verifier, error) {
	config := jwt.Config{Audience: file.JWT.Audience, Issuer: file.JWT.Issuer}
	var err error
	if config.Leeway, err = file.duration("jwt.leeway", file.JWT.Leeway); err != nil {
		return nil, err
	}
	if config.MaxAge, err = file.duration("jwt.max-age", file.JWT.MaxAge); err != nil {
		return nil, err
	}
	if secret := f.secret.value; secret != "" {
		config.Keys = []jwt.Key{{Algorithm: "HS256", Secret: []byte(secret)}}
		v, err := jwt.New(config)
		if err != nil {
			return nil, usagef("%s: %w", f.secret.origin(), reasonOf(err))
		}
		return v, nil
	}
	for i, k := range file.JWT.Keys {
		at := fmt.Sprintf("jwt.keys[%d]", i)
		key, err := file.key(k)
		if err != nil {
			return nil, file.wrong(at, err)
		}
		if _, err = jwt.New(jwt.Config{Keys: []jwt.Key{key}}); err != nil { // alone, to say which
			return nil, file.wrong(at, reasonOf(err))
		}
		config.Keys = append(config.Keys, key)
	}
	switch {
	case len(config.Keys) > 0:
	case config.Audience != "" || config.Issuer != "" || config.Leeway != 0 || config.MaxAge != 0:
		return nil, file.wrong("jwt", errors.New("there are no keys: set jwt.keys, or GALE_JWT_SECRET"))
	default:
		return nil, nil
	}
	return jwt.New(config)
}

// reasonOf is what an error of a package says without the fields of its config, which
// is not what people have written.
func reasonOf(err error) error {
	if reason := errors.Unwrap(err); reason != nil {
		return reason
	}
	return err
}

// key reads a key, which is in the config file or in one of its own.
func (f *hubFile) key(k hubFileKey) (key jwt.Key, err error) {
	key = jwt.Key{ID: k.ID, Algorithm: k.Algorithm, Secret: []byte(k.Secret)}
	given := 0
	for _, text := range []string{k.Secret, k.SecretFile, k.PublicKey, k.PublicKeyFile} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return key, errors.New("a key has one of secret, secret-file, public-key and public-key-file")
	}
	if k.Secret == "" {
		key.Secret = nil
	}
	if k.SecretFile != "" {
		if key.Secret, err = os.ReadFile(f.near(k.SecretFile)); err != nil {
			return key, err
		}
		key.Secret = bytes.TrimRight(key.Secret, "\r\n") // what editors put at the end
	}
	public := []byte(k.PublicKey)
	if k.PublicKeyFile != "" {
		if public, err = os.ReadFile(f.near(k.PublicKeyFile)); err != nil {
			return key, err
		}
	}
	if len(public) > 0 {
		key.Public, err = jwt.ParsePublicKey(public)
	}
	return key, err
}

// hubCursors signs the cursors of all transports, so that one goes on where another
// has ended. With secrets of the file it knows those from before a restart as well:
// who comes back with one is told a gap, and not refused.
func hubCursors(f *hubFile) (*cursor.Signer, error) {
	var secrets [][]byte
	for _, s := range f.Cursor.Secrets {
		secrets = append(secrets, []byte(s))
	}
	if len(secrets) == 0 {
		secrets = [][]byte{[]byte(rand.Text())}
	}
	s, err := cursor.New(secrets[0], secrets[1:]...)
	if err != nil {
		return nil, f.wrong("cursor.secrets", err)
	}
	return s, nil
}

// slowPolicies are the words for them.
var slowPolicies = map[string]hub.SlowPolicy{
	"":            hub.SlowDisconnect,
	"disconnect":  hub.SlowDisconnect,
	"drop-oldest": hub.SlowDropOldest,
	"latest":      hub.SlowLatest,
}

// hubConfig makes the hub's config of a file.
func hubConfig(f *hubFile) (hub.Config, error) {
	l := &f.Limits
	c := hub.Config{
		Channels:          make(map[string]hub.Options),
		MaxClients:        l.Clients,
		MaxClientsPerUser: l.ClientsPerUser,
		MaxSubscriptions:  l.Subscriptions,
		MaxChannels:       l.Channels,
		MaxBytes:          int64(l.Bytes),
		MaxPublishBytes:   l.PublishBytes,
		PublishRate:       l.PublishRate,
		PublishBurst:      l.PublishBurst,
		MaxBacklog:        l.Backlog,
	}
	err := f.limits(map[string]int{
		"limits.clients": l.Clients, "limits.clients-per-user": l.ClientsPerUser, "limits.subscriptions": l.Subscriptions,
		"limits.channels": l.Channels, "limits.bytes": l.Bytes, "limits.publish-bytes": l.PublishBytes, "limits.publish-burst": l.PublishBurst,
		"limits.backlog": l.Backlog,
	})
	if err != nil {
		return c, err
	}
	if err := f.rate("limits.publish-rate", l.PublishRate); err != nil {
		return c, err
	}
	for prefix, channel := range f.Channels {
		at := "channels." + prefix + "."
		if prefix != "" && prefix != "*" && !hub.ValidChannel(prefix) {
			return c, f.wrong("channels."+prefix, errors.New("no channel's name begins so; a beginning is written without an asterisk"))
		}
		if prefix == "*" {
			prefix = "" // which is no key that anybody would like to write
		}
		o := hub.Options{
			HistoryBytes:   channel.HistoryBytes,
			MaxLagBytes:    channel.MaxLagBytes,
			MaxSubscribers: channel.Subscribers,
			PublishRate:    channel.PublishRate,
			PublishBurst:   channel.PublishBurst,
			Presence:       channel.Presence,
		}
		numbers := map[string]int{
			at + "history-bytes": channel.HistoryBytes, at + "max-lag-bytes": channel.MaxLagBytes,
			at + "subscribers": channel.Subscribers, at + "publish-burst": channel.PublishBurst,
		}
		if n := channel.HistoryMessages; n != nil {
			numbers[at+"history-messages"] = *n
			if o.HistoryMessages = *n; *n == 0 {
				o.HistoryMessages = -1 // none
			}
		}
		if err := f.limits(numbers); err != nil {
			return c, err
		}
		if err := f.rate(at+"publish-rate", channel.PublishRate); err != nil {
			return c, err
		}
		if channel.PublishRate < 0 {
			return c, f.wrong(at+"publish-rate", errors.New("a limit is not negative"))
		}
		if o.HistoryAge, err = f.duration(at+"history-age", channel.HistoryAge); err != nil {
			return c, err
		}
		policy, ok := slowPolicies[channel.Slow]
		if !ok {
			return c, f.wrong(at+"slow", fmt.Errorf("%q is none of disconnect, drop-oldest, latest", channel.Slow))
		}
		o.Slow = policy
		c.Channels[prefix] = o
	}
	return c, nil
}
