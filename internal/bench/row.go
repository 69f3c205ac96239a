package main

import (
	"math"
	"runtime"
	"slices"
	"time"
)

// A row of the table compares ours with a baseline.
type row struct {
	what     string
	baseline string
	unit     string // of both figures
	goal     goal
	rounds   int // 0: as many as the others

	// open sets the row up and returns what measures both sides once. What it hands to
	// b.atEnd runs when the row is through.
	open func(b *bench) round
}

// A round returns one figure for each side, measured one right after the other.
type round func() (ours, base float64)

// goal says what is compared with a limit.
type goal struct {
	of    func(ours, base float64) float64 // what is compared
	limit float64
	sign  string // how it is printed: "x" is a ratio, "more" a difference
}

func ratio(limit float64) goal {
	return goal{of: func(ours, base float64) float64 { return ours / base }, limit: limit, sign: "x"}
}

func difference(limit float64) goal {
	return goal{of: func(ours, base float64) float64 { return ours - base }, limit: limit, sign: "more"}
}

func atMost(limit float64) goal {
	return goal{of: func(ours, _ float64) float64 { return ours }, limit: limit}
}

// noGoal is for rows that tell what something else costs, for comparison.
func noGoal() goal { return ratio(math.Inf(1)) }

// A bench is what rows are measured with.
type bench struct {
	short    bool
	rounds   int
	cleanups []func()
	flip     bool
	parallel bool // requests from two goroutines: see together
}

func (b *bench) atEnd(f func()) { b.cleanups = append(b.cleanups, f) }

func (b *bench) close() {
	for _, f := range slices.Backward(b.cleanups) {
		f()
	}
	b.cleanups = nil
}

// scale is n, or a little of it in short mode.
func (b *bench) scale(n, short int) int {
	if b.short {
		return short
	}
	return n
}

// pair makes a round of two measurements, which take turns at being first.
func (b *bench) pair(ours, base func() float64) round {
	return func() (x, y float64) {
		b.flip = !b.flip
		if b.flip {
			x = ours()
			y = base()
		} else {
			y = base()
			x = ours()
		}
		return x, y
	}
}

// A side does something n times and returns how long that took, until all was done, tasks
// included. What it prepares is not counted.
type side func(n int) time.Duration

// clocked is a side without preparation.
func clocked(do func(n int)) side {
	return func(n int) time.Duration {
		begin := elapsed()
		do(n)
		return elapsed() - begin
	}
}

// timed compares the time that sides take for each of n.
func (b *bench) timed(ours, base side) round {
	nOurs, nBase := b.calibrate(ours), b.calibrate(base)
	return b.pair(func() float64 { return perOp(ours, nOurs) }, func() float64 { return perOp(base, nBase) })
}

// sideTime is how long one side of a round takes.
const sideTime = 40 * time.Millisecond

func (b *bench) calibrate(s side) int {
	if b.short {
		s(20)
		return 20
	}
	for n := 64; ; n *= 2 {
		if took := s(n); took > sideTime/4 {
			return int(float64(n) * float64(sideTime) / float64(took))
		}
	}
}

func perOp(s side, n int) float64 {
	runtime.GC() // so that neither side sweeps up after the other
	return float64(s(n)) / float64(n)
}

// result is what a row's rounds have shown.
type result struct {
	ours, base float64 // medians
	compared   float64 // median of the rounds' comparisons
	low, high  float64 // of them, the middle half
}

func (b *bench) run(r row) result {
	defer b.close()
	rounds := b.rounds
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	measure := r.open(b)
	var ours, base, compared []float64
	for range rounds {
		x, y := measure()
		ours, base, compared = append(ours, x), append(base, y), append(compared, r.goal.of(x, y))
	}
	return result{median(ours), median(base), median(compared), quantile(compared, 0.25), quantile(compared, 0.75)}
}

func (r row) met(res result) bool { return res.compared <= r.goal.limit }

func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile interpolates between the two nearest.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	below := v[int(at)]
	return below + (v[min(int(at)+1, len(v)-1)]-below)*(at-math.Floor(at))
}
