package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// The columns of a cell, behind the first metric and its ratio.
var bulkColumns = []struct {
	title  string
	metric metric
}{
	{"transfers/CPU-s", transfersPerCPU}, {"CPU %", serverCPU}, {"peak MiB", peakRSS}, {"KiB each", peakPerTransfer},
	{"p99 ms", latency99Before}, {"beside", latency99}, {"x", felt99},
	{"slice p99 ms", slice99Before}, {"beside", slice99}, {"x", sliceFelt99},
}

// printBulk writes a cell for people: a line for each contender, with medians, and the
// spread of what is compared.
func printBulk(w io.Writer, rows []row, skipped []skip) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "contender\tMiB/CPU-s\tratio\tmin..max")
	for _, column := range bulkColumns {
		fmt.Fprint(t, "\t", column.title)
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		if r.Metric != mibPerCPUSecond.name {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s..%s", r.Contender, figure(r.Median), figure(*r.Ratio), figure(*r.RatioMin), figure(*r.RatioMax))
		for _, column := range bulkColumns {
			fmt.Fprint(t, "\t", medianOf(rows, r.Contender, column.metric))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printSkipped(w, skipped)
}

// medianOf is a contender's figure; "-" if it has none.
func medianOf(rows []row, contender string, m metric) string {
	for _, r := range rows {
		if r.Contender == contender && r.Metric == m.name {
			return figure(r.Median)
		}
	}
	return "-"
}
