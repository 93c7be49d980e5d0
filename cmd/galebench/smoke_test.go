package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gale-server/gale/cmd/galebench/contender"
	"github.com/gale-server/gale/executor/process"
)

// TestMain is a server when a test has started it as one.
func TestMain(m *testing.M) {
	process.Main()
	if len(os.Args) > 1 && (os.Args[1] == "server" || os.Args[1] == "attack" || os.Args[1] == "others" || os.Args[1] == "transfers" || os.Args[1] == "cold-readers") {
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// galebench runs the program in this process and returns its exit code and what
// it said.
func galebench(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"galebench"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

const (
	galeForms = "gale-event,gale-coroutine,gale-serial,gale-goroutine"
	rooms     = "gale,gorilla-hub,gws,centrifuge"
	bulks     = "gale-event,gale-coroutine,nethttp,fasthttp,gws,gorilla"
	quick     = "--rounds 1 --duration 50ms --warmup 10ms"
)

// Every workload measures every contender it names.
func TestWorkloads(t *testing.T) {
	for _, c := range []struct {
		command    string
		contenders string
		rows       int
	}{
		{"echo --conns 20 --depth 1 " + quick, "raw,gnet," + galeForms, 6 * 4},
		{"echo --conns 20 --depth 16 --unpinned " + quick, galeForms + ",gorilla,gws,nbio,coder", 8 * 4},
		{"echo --conns 3 --size 70000 --depth 4 " + quick, "raw,gale-event,gorilla,coder", 4 * 4},
		{"http --conns 20 " + quick, galeForms + ",nethttp,fasthttp", 6 * 4},
		{"http --conns 20 --pipeline 16 " + quick, galeForms + ",nethttp,fasthttp", 6 * 4},
		{"hostile --conns 10 --pace 1ms " + quick, "idle,churn,deaf-echo,panics,posts,timers", 6 * 8},
		{"hostile --conns 10 --engine nethttp " + quick, "idle,departures", 2 * 8},
		{"fanout --subscribers 20 --in-flight 3 " + quick, rooms, 4 * 5},
		{"fanout --subscribers 20 --rooms 5 --size 9000 --unpinned " + quick, rooms, 4 * 5},
		{"sse --subscribers 20 --rooms 5 " + quick, "gale,nethttp", 2 * 5},
		{"poll --subscribers 20 --rooms 5 " + quick, "gale", 5},
		{"storm --subscribers 20 --witnesses 5 --interval 5ms --pace 20ms --spread 50ms " + quick, "gale", 10},
		{"slow --subscribers 20 --interval 2ms " + quick, "none,disconnect,drop-oldest,latest-only", 4 * 6},
		{"idle --conns 200 --rounds 1", galeForms + ",nbio", 5 * 5},
		{"stall --conns 10 --interval 5ms " + quick, "idle,busy-cores,plain-goroutines,cpu-class,process-class,overload", 6 * 6},
		{"bulk --conns 4 --small 5 --interval 5ms --sizes 20000,1MiB --transfers http-down,http-up,ws-echo " + quick, bulks, 6 * 4 * 12},
		{"bulk --conns 4 --small 0 --sizes 64KiB --transfers ws-up,ws-down " + quick, "gws,gale-event", 2 * 2 * 6},
		{"files --conns 4 --sizes 1KiB,100KiB " + quick, "gale,nethttp,fasthttp", 3 * (2*6 + 4)},
		{"files --conns 4 --sizes none --conditional=false --cold 30 --rounds 1 --duration 500ms --warmup 10ms", "gale", 7},
		{"cgi --conns 2 --programs shell,python " + quick, "nethttp,gale", 2 * 2 * 5},
		{"python --conns 4 --cells asgi,websocket,polls --parked 20 " + quick, "gale-asgi", 2*5 + 2},
		{"python --conns 4 --cells wsgi,wsgi-one " + quick, "gale-wsgi", 2 * 5},
		{"story --conns 2 --parked 3 " + quick, "gale,gale-wsgi,gale-asgi,gale-coroutine,gale-event", 5 * 7},
	} {
		t.Run(c.command, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rows.json")
			args := append(strings.Fields(c.command), "--contenders", c.contenders, "--json", file)
			code, stdout, stderr := galebench(args...)
			if code != exitOK {
				t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if first, _, _ := strings.Cut(stdout, "\n"); !strings.Contains(first, "cores, ") || !strings.Contains(first, " go1.") {
				t.Errorf("the first line is %q", first)
			}
			checkRows(t, file, c.contenders, c.rows)
		})
	}
}

// checkRows reads a JSON file: each contender has a first metric, above zero.
func checkRows(t *testing.T, file, contenders string, count int) {
	t.Helper()
	p, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(p, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != count {
		t.Errorf("%d rows, want %d", len(rows), count)
	}
	first := make(map[string]row)
	for _, r := range rows {
		if r.Metric == rows[0].Metric {
			first[r.Contender] = r
		}
	}
	for name := range strings.SplitSeq(contenders, ",") {
		r := first[name]
		if !(r.Median > 0) || !(r.Min <= r.Median && r.Median <= r.Max) || r.Ratio == nil || !(*r.Ratio > 0) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// In a storm, what is published beyond the history while subscribers are away is
// lost, and that is seen.
func TestStormSeesLoss(t *testing.T) {
	command := "storm --subscribers 20 --witnesses 5 --interval 5ms --pace 20ms --in-flight 300 --spread 100ms " + quick
	if code, _, stderr := galebench(strings.Fields(command)...); code != exitFailure || !strings.Contains(stderr, errOthers.Error()) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// What this machine does not have is said, and the others are measured.
func TestSkipped(t *testing.T) {
	nchan, err := contender.Lookup("nchan")
	if err != nil {
		t.Fatal(err)
	}
	command := "sse --contenders nethttp,nchan --subscribers 20 --rooms 5 " + quick
	code, stdout, stderr := galebench(strings.Fields(command)...)
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if skipped := strings.Contains(stdout, "nchan SKIPPED: "); skipped != (nchan.Missing() != nil) || !strings.Contains(stdout, "nethttp") {
		t.Errorf("nchan is missing: %v\n%s", nchan.Missing(), stdout)
	}
	polls := strings.Fields("poll --contenders nchan --subscribers 20 --rooms 5 " + quick)
	if nchan.Missing() == nil {
		if code, stdout, stderr := galebench(polls...); code != exitOK {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
	} else if code, _, stderr := galebench(polls...); code != exitFailure || !strings.Contains(stderr, "no contender is left") {
		t.Errorf("without contenders: exit code %d, %s", code, stderr)
	}
}

func TestProfile(t *testing.T) {
	for command, name := range map[string]string{
		"echo --contenders raw --conns 2 " + quick:                                             "echo-1-raw.pprof",
		"idle --contenders raw --conns 2 --rounds 1":                                           "idle-raw.pprof",
		"bulk --contenders gws --conns 2 --small 0 --sizes 64KiB --transfers ws-echo " + quick: "bulk-ws-echo-64KiB-gws.pprof",
	} {
		dir := filepath.Join(t.TempDir(), "profiles")
		code, _, stderr := galebench(append(strings.Fields(command), "--profile", dir)...)
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, error %v", name, info, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for command, want := range map[string]string{
		"hostile --contenders idle,rain": `"rain"`,
		"hostile --engine steam":         "--engine",
		"hostile --pace -1s":             "--pace",
		"attack":                         "takes an attack",
		"attack rain 127.0.0.1:1":        `"rain"`,
		"race":                           `"race"`,
		"echo --contenders raw,jetty":    `"jetty"`,
		"echo --contenders nethttp":      "nethttp cannot take part in echo",
		"http --contenders gorilla":      "gorilla cannot take part in http",
		"echo --contenders raw,gws,raw":  "raw is named twice",
		"echo --size 0":                  "--size",
		"echo --depth 0":                 "--depth",
		"http --pipeline 0":              "--pipeline",
		"idle --conns 0":                 "--conns",
		"stall --contenders raw":         "raw cannot take part in stall",
		"stall --interval 0":             "--interval",
		"idle --conns 100000000":         "limit of open files",
		"idle --size -1":                 "--size",
		"echo --rounds 0":                "--rounds",
		"echo --duration 1ms":            "--duration",
		"echo --procs -1":                "--procs",
		"echo --colour red":              "colour",
		"fanout --contenders raw":        "raw cannot take part in fanout",
		"fanout --subscribers 0":         "--rooms",
		"fanout --rooms 5001":            "--rooms",
		"fanout --in-flight 0":           "--in-flight",
		"sse --size 31":                  "--size",
		"sse --contenders centrifuge":    "centrifuge cannot take part in sse",
		"poll --duration 0":              "--duration",
		"poll --subscribers 100000000":   "--subscribers",
		"storm --witnesses 0":            "--witnesses",
		"storm --in-flight 0":            "--in-flight",
		"storm --size 31":                "--size",
		"storm --spread 0":               "--spread",
		"storm --subscribers 0":          "--subscribers",
		"storm --contenders gws":         "gws cannot take part in storm",
		"slow --contenders none,rage":    `"rage"`,
		"slow --subscribers 1":           "--subscribers",
		"slow --size 31":                 "--size",
		"slow --interval 0":              "--interval",
		"bulk --sizes 1KB":               "--sizes",
		"bulk --sizes 1MiB,10":           "--sizes",
		"bulk --transfers ws":            `"ws"`,
		"bulk --small -1":                "--small",
		"bulk --conns 0":                 "--conns",
		"bulk --contenders coder":        "coder cannot take part in bulk",
		"transfers http-up":              "takes a transfer and an address",
		"python --cells asgi,lunch":      `"lunch"`,
		"python --parked 0":              "--parked",
		"python --contenders raw":        "raw cannot take part in python",
		"story --parked 100000":          "--parked",
		"others":                         "takes an address",
		"server":                         "takes one contender",
		"server --loops 1 jetty":         `"jetty"`,
	} {
		code, _, stderr := galebench(strings.Fields(command)...)
		if code != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", command, code, stderr)
		}
	}
}
