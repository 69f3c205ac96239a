package main

import (
	"fmt"
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
		{orders + "4 tasks of the least, with times and accounts: CPU time", "the same without them", "ns", noGoal(), 0, cpuPerRequest("least", "bare")},
		{orders + "4 tasks of the least, with times and accounts, after the response: CPU time", "the same without them", "ns", noGoal(), 0, cpuPerRequest("least, sent", "bare")},
		{orders + "1 goroutine without any safety: CPU time", "the same without it", "ns", noGoal(), 0, cpuPerRequest("goroutine", "bare")},
		{orders + "4 tasks: time, saturated", bare("the same"), "ns", noGoal(), 0, func(b *bench) round {
			n := b.scale(4000, 50)
			ours, base := b.clients(b.launch("four"), 16), b.clients(b.launch("bare"), 16)
			return b.pair(func() float64 { return saturate(ours, n, anOrder) }, func() float64 { return saturate(base, n, anOrder) })
		}},
	}
	for _, load := range []float64{0.5, 0.9} {
		rows = append(rows, quantiles(orders+fmt.Sprintf("4 tasks, %.0f %% load", load*100), bare("the same"), 64, atLoad(load))...)
	}
	rows = append(rows, quantiles(orders+"4 tasks, saturated", bare("the same"), 16, flat)...)
	return append(rows, connectionRows()...)
}

// cpuPerRequest compares two kinds of shop. The differences are small, so each round has processes of
// its own, as two of one kind differ by some percent for as long as they live, and is made of many
// short turns, so that what disturbs the machine for a while disturbs both.
func cpuPerRequest(kind, other string) func(*bench) round {
	return func(b *bench) round {
		turns, n := b.scale(16, 1), b.scale(1000, 50)
		side := func(kind string) func() float64 {
			addr := b.launch(kind)
			all, admin := b.clients(addr, 4), b.clients(addr, 1)[0]
			saturate(all, 4*n, anOrder)
			return func() float64 { return cpuFor(all, admin, n) }
		}
		return func() (x, y float64) {
			defer b.close()
			turn := b.pair(side(kind), side(other))
			for range turns {
				ours, base := turn()
				x, y = x+ours/float64(turns), y+base/float64(turns)
			}
			return x, y
		}
	}
}

func cpuFor(all []*client, admin *client, n int) float64 {
	before := admin.cpuOf()
	saturate(all, n, anOrder)
	return (admin.cpuOf() - before) / float64(n)
}

// A latency is how a row's latencies are measured: base is the bare route, and what is returned
// sends n requests and returns their latencies, sorted.
type latency func(base []*client, n int) func(all []*client, n int) []time.Duration

// atLoad is latency at a fixed rate, which is a part of what the bare route can do.
func atLoad(load float64) latency {
	return func(base []*client, n int) func([]*client, int) []time.Duration {
		interval := time.Duration(saturate(base, n, anOrder) / load)
		return func(all []*client, n int) []time.Duration { return paced(all, n, interval, anOrder) }
	}
}

// flat is latency where each connection sends its next request as soon as it has an answer: as
// many requests at once as there are connections, and what is missed by a stall is not counted.
func flat([]*client, int) func([]*client, int) []time.Duration {
	return func(all []*client, n int) []time.Duration { return flooded(all, n, anOrder) }
}

// quantiles are three rows from the same measurements.
func quantiles(what, baseline string, connections int, of latency) []row {
	type sample struct{ ours, base []time.Duration }
	var samples []sample
	measure := func(b *bench) {
		samples = nil
		ours, base := b.clients(b.launch("four"), connections), b.clients(b.launch("bare"), connections)
		n := b.scale(2000, 50)
		send := of(base, n)
		for range b.rounds {
			var s sample
			b.pair(func() float64 { s.ours = send(ours, n); return 0 }, func() float64 { s.base = send(base, n); return 0 })()
			samples = append(samples, s)
		}
	}
	read := make([]bool, 3) // which rows have had their part of the samples
	var rows []row
	for i, q := range []float64{0.5, 0.99, 0.999} {
		rows = append(rows, row{fmt.Sprintf("%s: p%v", what, q*100), baseline, "ns", noGoal(), 0, func(b *bench) round {
			if samples == nil || read[i] {
				measure(b)
				clear(read)
			}
			read[i] = true
			next := 0
			return func() (float64, float64) {
				s := samples[next]
				next++
				return at(s.ours, q), at(s.base, q)
			}
		}})
	}
	return rows
}

// connectionRows tell what open connections, each of which has had a request with tasks, cost those
// that are in use.
func connectionRows() []row {
	var rows []row
	for _, open := range []int{100, 1000, 10_000} {
		rows = append(rows, row{spell(open) + " open connections: CPU time", "10 open connections", "ns", ratio(1.1), 0, func(b *bench) round {
			many, few := b.launch("four"), b.launch("four")
			n := b.scale(4000, 50)
			for _, idle := range b.clients(many, b.scale(open-10, 20)) {
				idle.do(anOrder)
			}
			side := func(addr string) func() float64 {
				all, admin := b.clients(addr, 10), b.clients(addr, 1)[0]
				saturate(all, n, anOrder)
				return func() float64 { return cpuFor(all, admin, n) }
			}
			return b.pair(side(many), side(few))
		}})
	}
	return rows
}
