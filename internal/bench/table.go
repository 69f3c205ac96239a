package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// A table prints its lines as they come, so that columns have fixed widths.
type table struct{ out io.Writer }

func (t table) head() {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, format, "what", "against", "ours", "baseline", "compared", "spread", "goal", "")
	_ = w.Flush()
}

const format = "%-56s %-42s %11s %11s %11s %25s %14s %s\n"

func (t table) line(r row, res result) {
	verdict := "not met"
	switch {
	case math.IsInf(r.goal.limit, 1):
		verdict = ""
	case r.met(res):
		verdict = "met"
	}
	fmt.Fprintf(t.out, format, r.what, r.baseline, figure(res.ours, r.unit), figure(res.base, r.unit),
		r.compared(res.compared), "("+r.compared(res.low)+" to "+r.compared(res.high)+")", r.limit(), verdict)
}

func (r row) limit() string {
	if math.IsInf(r.goal.limit, 1) {
		return ""
	}
	return "<= " + r.compared(r.goal.limit)
}

func (r row) compared(v float64) string {
	switch r.goal.sign {
	case "x":
		return bare(v) + "x"
	case "more":
		return fmt.Sprintf("%+.0f %s", v, r.unit)
	}
	return figure(v, r.unit)
}

func bare(v float64) string {
	if math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// figure prints nanoseconds in a unit that suits them.
func figure(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case unit == "ns" && v >= 1e6:
		return fmt.Sprintf("%.2f ms", v/1e6)
	case unit == "ns" && v >= 10e3:
		return fmt.Sprintf("%.1f us", v/1e3)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}
