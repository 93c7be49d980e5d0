package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gale-server/gale/cmd/galebench/contender"
)

// fixed measures what a table says, by contender and round; nil fails.
func fixed(values map[string][]any) *workload {
	w := &workload{name: "test", parameters: "none", rounds: 3}
	w.measure = func(c contender.Contender, round int) ([]sample, error) {
		v, ok := values[c.Name][round].(float64)
		if !ok {
			return nil, errors.New("no luck")
		}
		return []sample{{messagesPerCPUSecond, v}, {latency99, 0}}, nil
	}
	return w
}

// The ratio is the median of the rounds' ratios, not the ratio of the medians.
func TestRowsCompareWithinARound(t *testing.T) {
	w := fixed(map[string][]any{
		"raw":        {100.0, 200.0, 1000.0},
		"gale-event": {90.0, 100.0, 900.0},
	})
	w.contenders = []contender.Contender{{Name: "raw"}, {Name: "gale-event"}}
	rows, err := w.run(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	raw, gale := rows[0], rows[2]
	if raw.Median != 200 || raw.Min != 100 || raw.Max != 1000 || *raw.Ratio != 1 {
		t.Errorf("raw: %+v", raw)
	}
	if gale.Contender != "gale-event" || gale.Median != 100 || *gale.Ratio != 0.9 || *gale.RatioMin != 0.5 || *gale.RatioMax != 0.9 {
		t.Errorf("gale-event: %+v, ratio %v", gale, *gale.Ratio)
	}
	if rows[1].Ratio != nil {
		t.Errorf("a ratio to zero: %v", *rows[1].Ratio)
	}
}

func TestContenderThatFails(t *testing.T) {
	values := map[string][]any{"raw": {1.0, 1.0, 1.0}, "gnet": {1.0, nil, 1.0}, "gws": {2.0, 2.0, 2.0}}
	w := fixed(values)
	w.contenders = []contender.Contender{{Name: "raw"}, {Name: "gnet"}, {Name: "gws"}}
	rows, err := w.run(io.Discard)
	if err == nil || !strings.Contains(err.Error(), "gnet") {
		t.Errorf("error %v", err)
	}
	for _, r := range rows {
		if r.Contender == "gnet" {
			t.Errorf("a row of it: %+v", r)
		}
	}
	if len(rows) != 4 {
		t.Errorf("%d rows of the others", len(rows))
	}
	values["raw"][1] = nil // what everything is compared to
	if rows, err := w.run(io.Discard); err == nil || rows != nil {
		t.Errorf("without a reference: error %v, rows %v", err, rows)
	}
}

func TestPrintTable(t *testing.T) {
	one, low := 1.0, 0.0412
	var b strings.Builder
	err := printTable(&b, []row{
		{Contender: "raw", Metric: "speed", Unit: "m/s", Median: 123456.7, Min: 1, Max: 10.26, Ratio: &one, RatioMin: &low, RatioMax: &one},
		{Contender: "raw", Metric: "size", Unit: "m", Median: 2},
		{Contender: "gws", Metric: "speed", Unit: "m/s", Median: -5},
	}, []skip{{"nchan", errors.New("there is no nginx")}})
	if err != nil {
		t.Fatal(err)
	}
	want := `contender  metric  unit  median  min..max      ratio  min..max
raw        speed   m/s   123457  1.00..10.3    1.00   0.041..1.00
gws        speed   m/s   -5.00   0.000..0.000  -      -
raw        size    m     2.00    0.000..0.000  -      -
nchan SKIPPED: there is no nginx
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestWriteJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.json")
	half := 0.5
	if err := writeJSON(file, []row{{Workload: "echo", Contender: "gws", Metric: "p99_ms", Unit: "ms", Median: 2, Min: 1, Max: 3, Ratio: &half}}); err != nil {
		t.Fatal(err)
	}
	p, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(p, &rows); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"workload": "echo", "contender": "gws", "metric": "p99_ms", "unit": "ms",
		"median": 2.0, "min": 1.0, "max": 3.0, "ratio": 0.5, "ratio_min": nil} {
		if got := rows[0][key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
}
