package main

import (
	"fmt"
	"math"
	"time"
)

// These rows have a real server, attached, answer requests over loopback.

func servedRows() []row {
	const orders = "the route of an order, "
	bare := func(what string) string { return what + " without the middleware" }
	rows := []row{
		{orders + "4 tasks: CPU time", bare("the same"), "ns", ratio(1.05), 0, cpuPerRequest("four", "bare")},
		{orders + "no task: CPU time", bare("the same"), "ns", noGoal(), 0, cpuPerRequest("none", "bare")},
		{orders + "4 hand-written goroutines: CPU time", "the same without them", "ns", noGoal(), 0, cpuPerRequest("goroutines", "bare")},
		{orders + "4 tasks of the least: CPU time", "the same without them", "ns", noGoal(), 0, cpuPerRequest("least", "bare")},
		{orders + "1 goroutine without any safety: CPU time", "the same without it", "ns", noGoal(), 0, cpuPerRequest("goroutine", "bare")},
		{orders + "4 tasks: time, saturated", bare("the same"), "ns", noGoal(), 0, func(b *bench) round {
			n := b.scale(4000, 50)
			ours, base := b.clients(b.launch("four"), 16), b.clients(b.launch("bare"), 16)
			return b.pair(func() float64 { return saturate(ours, n, anOrder) }, func() float64 { return saturate(base, n, anOrder) })
		}},
	}
	for _, load := range []float64{0.5, 0.9} {
		rows = append(rows, quantiles(orders+fmt.Sprintf("4 tasks, %.0f %% load", load*100), bare("the same"), load)...)
	}
	return append(rows, connectionRow())
}

// cpuPerRequest compares two kinds of shop.
func cpuPerRequest(kind, other string) func(*bench) round {
	return func(b *bench) round {
		ours, base := b.launch(kind), b.launch(other)
		n := b.scale(4000, 50)
		side := func(addr string) func() float64 {
			all, admin := b.clients(addr, 4), b.clients(addr, 1)[0]
			saturate(all, n, anOrder)
			return func() float64 { return cpuFor(all, admin, n) }
		}
		return b.pair(side(ours), side(base))
	}
}

func cpuFor(all []*client, admin *client, n int) float64 {
	before := admin.cpuOf()
	saturate(all, n, anOrder)
	return (admin.cpuOf() - before) / float64(n)
}

// quantiles are three rows from the same measurements: latency at a fixed rate, which is a
// part of what the bare route can do.
func quantiles(what, baseline string, load float64) []row {
	type sample struct{ ours, base []time.Duration }
	var samples []sample
	var rows []row
	for i, q := range []float64{0.5, 0.99, 0.999} {
		rows = append(rows, row{fmt.Sprintf("%s: p%v", what, q*100), baseline, "ns", noGoal(), 0, func(b *bench) round {
			if i == 0 {
				samples = nil
				ours, base := b.clients(b.launch("four"), 64), b.clients(b.launch("bare"), 64)
				n := b.scale(2000, 50)
				interval := time.Duration(saturate(base, n, anOrder) / load)
				for range b.rounds {
					var s sample
					b.pair(func() float64 { s.ours = paced(ours, n, interval, anOrder); return 0 },
						func() float64 { s.base = paced(base, n, interval, anOrder); return 0 })()
					samples = append(samples, s)
				}
			}
			next := 0
			return func() (float64, float64) {
				if next == len(samples) { // -run has left out the first of the three
					return math.NaN(), math.NaN()
				}
				s := samples[next]
				next++
				return at(s.ours, q), at(s.base, q)
			}
		}})
	}
	return rows
}

// connectionRow tells what open connections cost those that are in use.
func connectionRow() row {
	return row{"10,000 open connections: CPU time", "10 open connections", "ns", ratio(1.1), 0, func(b *bench) round {
		many, few := b.launch("four"), b.launch("four")
		n := b.scale(4000, 50)
		idle := b.clients(many, b.scale(9_990, 20))
		idle[0].do(anOrder)
		side := func(addr string) func() float64 {
			all, admin := b.clients(addr, 10), b.clients(addr, 1)[0]
			saturate(all, n, anOrder)
			return func() float64 { return cpuFor(all, admin, n) }
		}
		return b.pair(side(many), side(few))
	}}
}
