package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

type bulkColumn struct {
	title  string
	metric metric
}

// The columns of a cell, behind the first metric and its ratio.
var bulkColumns = []bulkColumn{
	{"transfers/CPU-s", transfersPerCPU}, {"CPU %", serverCPU}, {"of load", loadCPU}, {"peak MiB", peakRSS}, {"KiB each", peakPerTransfer},
	{"p99 ms", latency99Before}, {"beside", latency99}, {"x", felt99},
	{"slice p99 ms", slice99Before}, {"beside", slice99}, {"x", sliceFelt99},
}

// printBulk writes a cell for people: a line for each contender, with medians, and the
// spread of what is compared. What was not measured has no column.
func printBulk(w io.Writer, rows []row, skipped []skip) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := slices.DeleteFunc(slices.Clone(bulkColumns), func(c bulkColumn) bool {
		return !slices.ContainsFunc(rows, func(r row) bool { return r.Metric == c.metric.name })
	})
	fmt.Fprint(t, "contender\tMiB/CPU-s\tratio\tmin..max")
	for _, column := range columns {
		fmt.Fprint(t, "\t", column.title)
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		if r.Metric != mibPerCPUSecond.name {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s..%s", r.Contender, figure(r.Median), figure(*r.Ratio), figure(*r.RatioMin), figure(*r.RatioMax))
		for _, column := range columns {
			fmt.Fprint(t, "\t", medianOf(rows, r.Contender, column.metric))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printSkipped(w, skipped)
}

// medianOf is a contender's figure.
func medianOf(rows []row, contender string, m metric) string {
	i := slices.IndexFunc(rows, func(r row) bool { return r.Contender == contender && r.Metric == m.name })
	return figure(rows[i].Median)
}
