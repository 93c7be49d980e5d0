package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// hubFile is what a config file of gale serve may say. hub.example.toml has all of
// it, and says what it means.
type hubFile struct {
	path   string
	places map[string]int // lines, by key

	Addr           *string  `toml:"addr"`
	Engine         *string  `toml:"engine"`
	HubPath        *string  `toml:"hub-path"`
	AllowedOrigins []string `toml:"allowed-origins"`
	LogLevel       *string  `toml:"log-level"`
	LogFormat      *string  `toml:"log-format"`
	AccessLog      *string  `toml:"access-log"`
	DrainTimeout   *string  `toml:"drain-timeout"`
	Metrics        *string  `toml:"metrics"`

	ProxyHeaders      *string  `toml:"proxy-headers"`
	ForwardedAllowIPs []string `toml:"forwarded-allow-ips"`

	TLS struct {
		Certificate *string `toml:"certificate"`
		Key         *string `toml:"key"`
	} `toml:"tls"`

	API struct {
		Keys []string `toml:"keys"`
	} `toml:"api"`

	JWT struct {
		Audience string       `toml:"audience"`
		Issuer   string       `toml:"issuer"`
		Leeway   string       `toml:"leeway"`
		MaxAge   string       `toml:"max-age"`
		Keys     []hubFileKey `toml:"keys"`
	} `toml:"jwt"`

	Anonymous *hubFileGrants `toml:"anonymous"`

	Cursor struct {
		Secrets []string `toml:"secrets"`
	} `toml:"cursor"`

	Limits struct {
		Clients        int     `toml:"clients"`
		ClientsPerUser int     `toml:"clients-per-user"`
		Subscriptions  int     `toml:"subscriptions"`
		Channels       int     `toml:"channels"`
		Bytes          int     `toml:"bytes"`
		PublishBytes   int     `toml:"publish-bytes"`
		PublishRate    float64 `toml:"publish-rate"`
		PublishBurst   int     `toml:"publish-burst"`
		Backlog        int     `toml:"backlog"`
	} `toml:"limits"`

	Channels map[string]hubFileChannel `toml:"channels"`

	Mounts []mountTable `toml:"mount"`
}

// hubFileKey is a key that tokens are checked with.
type hubFileKey struct {
	ID            string `toml:"id"`
	Algorithm     string `toml:"algorithm"`
	Secret        string `toml:"secret"`
	SecretFile    string `toml:"secret-file"`
	PublicKey     string `toml:"public-key"`
	PublicKeyFile string `toml:"public-key-file"`
}

// hubFileGrants are lists of channels and patterns.
type hubFileGrants struct {
	Subscribe []string `toml:"subscribe"`
	Publish   []string `toml:"publish"`
	Presence  []string `toml:"presence"`
}

// hubFileChannel are the options of channels whose names begin alike.
type hubFileChannel struct {
	HistoryMessages *int    `toml:"history-messages"`
	HistoryBytes    int     `toml:"history-bytes"`
	HistoryAge      string  `toml:"history-age"`
	Slow            string  `toml:"slow"`
	MaxLagBytes     int     `toml:"max-lag-bytes"`
	Subscribers     int     `toml:"subscribers"`
	PublishRate     float64 `toml:"publish-rate"`
	PublishBurst    int     `toml:"publish-burst"`
	Presence        bool    `toml:"presence"`
}

// readHubFile reads a config file. A mistake is an error that says where.
func readHubFile(path string) (*hubFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("%w", err)
	}
	f := &hubFile{path: path, places: placesOf(text)}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(f); err != nil {
		return nil, f.malformed(err)
	}
	return f, nil
}

var wrongType = regexp.MustCompile(`^cannot decode TOML (\S+) into `)

// malformed says where a file is not as it should be.
func (f *hubFile) malformed(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		first := &strict.Errors[0]
		row, _ := first.Position()
		return usagef("%s:%d: there is no setting %q", f.path, row, strings.Join(first.Key(), "."))
	}
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		return usagef("%s: %w", f.path, err)
	}
	row, column := wrong.Position()
	what := strings.TrimPrefix(wrong.Error(), "toml: ")
	if m := wrongType.FindStringSubmatch(what); m != nil {
		return usagef("%s:%d: %s: the value has the wrong type: %s", f.path, row, strings.Join(wrong.Key(), "."), m[1])
	}
	return usagef("%s:%d:%d: %s", f.path, row, column, what)
}

// placesOf finds the lines of tables and keys. What is in an inline table is where
// the table is.
func placesOf(text []byte) map[string]int {
	places := make(map[string]int)
	counts := make(map[string]int) // of tables in arrays
	var p unstable.Parser
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.KeyValue && e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			continue
		}
		var key []string
		line := 0
		for it := e.Key(); it.Next(); {
			key = append(key, string(it.Node().Data))
			line = p.Shape(it.Node().Raw).Start.Line
		}
		name := strings.Join(key, ".")
		switch e.Kind {
		case unstable.KeyValue:
			if table != "" {
				name = table + "." + name
			}
		case unstable.ArrayTable:
			counts[name]++
			name += "[" + strconv.Itoa(counts[name]-1) + "]"
			table = name
		case unstable.Table:
			table = name
		}
		if _, known := places[name]; !known {
			places[name] = line
		}
	}
	return places
}

// place is where a key is, or what it is in: "file:line: key", for errors.
func (f *hubFile) place(key string) string {
	for name := key; name != ""; {
		if line, ok := f.places[name]; ok {
			return fmt.Sprintf("%s:%d: %s", f.path, line, key)
		}
		name = name[:max(strings.LastIndexAny(name, ".["), 0)]
	}
	return f.path + ": " + key
}

// wrong is an error about the value of a key.
func (f *hubFile) wrong(key string, err error) error { return usagef("%s: %w", f.place(key), err) }

// near returns the path of a file that is named in the config file, which is where
// relative paths begin.
func (f *hubFile) near(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.path), path)
}

// limits checks numbers by their keys: none is negative.
func (f *hubFile) limits(numbers map[string]int) error {
	for key, n := range numbers {
		if n < 0 {
			return f.wrong(key, errors.New("a limit is not negative"))
		}
	}
	return nil
}

// rate checks a rate: TOML has numbers that are none.
func (f *hubFile) rate(key string, n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return f.wrong(key, errors.New("a rate is a number"))
	}
	return nil
}

// duration reads a time, if there is one.
func (f *hubFile) duration(key, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := parseTimeout(text)
	if err != nil {
		return 0, f.wrong(key, err)
	}
	return d, nil
}
