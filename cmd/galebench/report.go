package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"text/tabwriter"
)

// metric is one figure of a contender.
type metric struct{ name, unit string }

// The metrics.
var (
	messagesPerCPUSecond = metric{"messages_per_cpu_second", "messages/CPU-s"}
	requestsPerCPUSecond = metric{"requests_per_cpu_second", "requests/CPU-s"}
	userPerMessage       = metric{"user_us_per_message", "us"}
	userPerRequest       = metric{"user_us_per_request", "us"}
	cpuPerRequest        = metric{"server_us_per_request", "us"}   // of the server's own CPU time
	programPerRequest    = metric{"programs_us_per_request", "us"} // of the programs that it has started
	cpuPerMessage        = metric{"server_us_per_message", "us"}
	perSecond            = metric{"per_second", "1/s"} // requests or messages
	memoryBefore         = metric{"memory_mib", "MiB"}
	memoryParked         = metric{"memory_of_parked_mib", "MiB"}
	parkSeconds          = metric{"seconds_to_park", "s"}
	rssBefore            = metric{"rss_before_mib", "MiB"}
	serverCPU            = metric{"server_cpu_percent", "%"} // 100: its one core was busy all the time
	loadCPU              = metric{"load_cpu_percent", "%"}   // as much as the server's or more: the load bounds what is measured
	latency50            = metric{"p50_ms", "ms"}
	latency99            = metric{"p99_ms", "ms"}
	slice99              = metric{"slice_p99_ms", "ms"} // the p99 of 0.2 s: the median of them
	latency999           = metric{"p999_ms", "ms"}
	latencyMax           = metric{"max_ms", "ms"}
	latency50Before      = metric{"p50_before_ms", "ms"}
	latency99Before      = metric{"p99_before_ms", "ms"}
	recovered            = metric{"recovered", "subscribers"} // without a loss: else there is no measurement
	recoverySeconds      = metric{"recovery_s", "s"}          // until the last one was, in the slowest of the storms
	slowHeard            = metric{"slow_heard", "messages"}   // of who never reads, when it reads at last
	slowMissed           = metric{"slow_missed", "messages"}  // and was told so
	felt50               = metric{"p50_to_before", "x"}       // what the same clients had before the attack, or storm, is 1
	sliceFelt99          = metric{"slice_p99_to_before", "x"}
	coldFiles            = metric{"cold_files_per_second", "files/s"}
	felt99               = metric{"p99_to_before", "x"}
	deliveriesPerCPU     = metric{"deliveries_per_cpu_second", "deliveries/CPU-s"}
	userPerDelivery      = metric{"user_us_per_delivery", "us"}
	cpuPerDelivery       = metric{"cpu_us_per_delivery", "us"}
	cpuPerWake           = metric{"cpu_us_per_wake", "us"} // an answer, and the request for the next
	rssPerStream         = metric{"rss_bytes_per_stream", "bytes"}
	rssPerPoll           = metric{"rss_bytes_per_poll", "bytes"}
	mibPerCPUSecond      = metric{"mib_per_cpu_second", "MiB/CPU-s"}
	transfersPerCPU      = metric{"transfers_per_cpu_second", "transfers/CPU-s"}
	peakRSS              = metric{"peak_rss_mib", "MiB"}              // of the server, while transfers went on
	peakPerTransfer      = metric{"peak_rss_kib_per_transfer", "KiB"} // what of it was not there before them, for each at a time
	slice99Before        = metric{"slice_p99_before_ms", "ms"}
	jobsPerSecond        = metric{"jobs_per_second", "jobs/s"}
	heapStackPerConn     = metric{"heap_stack_bytes_per_conn", "bytes"}
	stackPerConn         = metric{"stack_bytes_per_conn", "bytes"} // the part of it that is stacks
	rssPerConn           = metric{"rss_bytes_per_conn", "bytes"}
	rssBeforeGCPerConn   = metric{"rss_before_gc_bytes_per_conn", "bytes"}
	slabPerConn          = metric{"kernel_slab_bytes_per_conn", "bytes, both ends"}
)

// sample is what one contender gave in one round.
type sample struct {
	metric metric
	value  float64
}

// row is a line of the report: one metric of one contender over all rounds.
type row struct {
	Workload   string   `json:"workload"`
	Parameters string   `json:"parameters"`
	Contender  string   `json:"contender"`
	Metric     string   `json:"metric"`
	Unit       string   `json:"unit"`
	Median     float64  `json:"median"`
	Min        float64  `json:"min"`
	Max        float64  `json:"max"`
	Ratio      *float64 `json:"ratio"` // median of the ratios to the first contender; null where that has zero
	RatioMin   *float64 `json:"ratio_min"`
	RatioMax   *float64 `json:"ratio_max"`
}

// rowsOf makes the rows of results: for each contender, in the order of names,
// the samples of every round. The first is what the others are compared to.
func rowsOf(workload, parameters string, names []string, results map[string][][]sample) []row {
	var rows []row
	for _, name := range names {
		rounds := results[name]
		if len(rounds) == 0 {
			continue // it failed
		}
		for i, s := range rounds[0] {
			values := column(rounds, i)
			v := spreadOf(values)
			r := row{
				Workload: workload, Parameters: parameters, Contender: name, Metric: s.metric.name, Unit: s.metric.unit,
				Median: v.median, Min: v.min, Max: v.max,
			}
			if ratios := ratiosTo(column(results[names[0]], i), values); ratios != nil {
				v := spreadOf(ratios)
				r.Ratio, r.RatioMin, r.RatioMax = &v.median, &v.min, &v.max
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// column is sample i of every round.
func column(rounds [][]sample, i int) []float64 {
	values := make([]float64, len(rounds))
	for k, round := range rounds {
		values[k] = round[i].value
	}
	return values
}

// skip is a contender that could not take part.
type skip struct {
	contender string
	reason    error
}

// printTable writes the rows for people, metric by metric, and who is not there.
func printTable(w io.Writer, rows []row, skipped []skip) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "contender\tmetric\tunit\tmedian\tmin..max\tratio\tmin..max")
	var metrics []string
	byMetric := make(map[string][]row)
	for _, r := range rows {
		if byMetric[r.Metric] == nil {
			metrics = append(metrics, r.Metric)
		}
		byMetric[r.Metric] = append(byMetric[r.Metric], r)
	}
	for _, m := range metrics {
		for _, r := range byMetric[m] {
			ratio, spread := "-", "-"
			if r.Ratio != nil {
				ratio, spread = figure(*r.Ratio), figure(*r.RatioMin)+".."+figure(*r.RatioMax)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s..%s\t%s\t%s\n", r.Contender, r.Metric, r.Unit,
				figure(r.Median), figure(r.Min), figure(r.Max), ratio, spread)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printSkipped(w, skipped)
}

func printSkipped(w io.Writer, skipped []skip) error {
	for _, s := range skipped {
		if _, err := fmt.Fprintf(w, "%s SKIPPED: %v\n", s.contender, s.reason); err != nil {
			return err
		}
	}
	return nil
}

// figure writes a number with as many digits as it deserves.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

func writeJSON(file string, rows []row) error {
	p, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(p, '\n'), 0o644)
}
