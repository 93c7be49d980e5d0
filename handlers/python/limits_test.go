package python

import (
	"strings"
	"testing"
	"time"

	"github.com/gale-server/gale/internal/limits"
)

// TestLimits holds the README's table of limits to the defaults.
func TestLimits(t *testing.T) {
	defaults, err := Config{App: "app"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	limits.Check(t, limits.Config{
		Package: "python", Root: "../..", Defaults: defaults,
		Derived: []string{"Workers", "MaxRequests", "MaxResidentBytes", "MaxAge", "MaxMemoryBytes", "MaxFiles", "JitterPercent", "MaxOutputLines"},
		Others: []string{
			"App", "Mode", "Factory", "Dir", "Path", "Python", "Env", "Loop", "Lifespan", "RootPath", "SendFile", "LogLevel",
			"Hub", "Executor", "Jobs", "Watch", "Logger", "TempDir",
		},
	})
}

func TestConfig(t *testing.T) {
	for says, config := range map[string]Config{
		"App is required":              {},
		"a negative value":             {App: "a", Workers: -1},
		"a negative value ":            {App: "a", Backoff: -time.Second},
		"JitterPercent":                {App: "a", JitterPercent: 101},
		`Mode is "cgi"`:                {App: "a", Mode: "cgi"},
		`Loop is "trio"`:               {App: "a", Loop: "trio"},
		`Lifespan is "yes"`:            {App: "a", Lifespan: "yes"},
		`LogLevel is "loud"`:           {App: "a", LogLevel: "loud"},
		`"A" is not of the form NAME=`: {App: "a", Env: []string{"A"}},
	} {
		if _, err := config.withDefaults(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(says)) {
			t.Errorf("%v, want %s", err, says)
		}
	}
	c, err := Config{
		App: "a", Dir: "x", Path: []string{"lib", "/usr/lib"}, StartTimeout: -1, StopTimeout: -1, RetireTimeout: -1, BlockedAfter: -1,
		BlockTimeout: -1, MaxRequests: -1, MaxAge: -1, MaxMemoryBytes: -1, MaxFiles: -1, MaxOutputLines: -1, JitterPercent: -1,
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.Path[0] != c.Dir+"/lib" || c.Path[1] != "/usr/lib" || c.Dir[0] != '/' {
		t.Errorf("%s %s", c.Dir, c.Path)
	}
	if c.StartTimeout != noLimit || c.StopTimeout != noLimit || c.BlockTimeout != noLimit || c.MaxFiles != noLimit || c.JitterPercent != 0 {
		t.Errorf("%+v", c)
	}
}

// Without any bound a worker starts and stops all the same.
func TestNoBounds(t *testing.T) {
	config := application(t, helloApp)
	config.StartTimeout, config.StopTimeout, config.RetireTimeout, config.BlockedAfter, config.BlockTimeout = -1, -1, -1, -1, -1
	config.MaxOutputLines = -1
	p := started(t, config)
	w := p.only()
	w.takeNoMore()
	w.retire()
	p.log.wait(t, 1, "it is lifespan.shutdown")
}
