package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
)

// These rows have orders stored together with what is to be done for them, by bgriver and by
// a hand-written River job with the same durable writes: see durable_shops.go. Each shop is a
// process of its own, with a database of its own.

func durableRows() []row {
	rows := newDurable("SQLite", func(b *bench) (one, two string) {
		dir, err := os.MkdirTemp("", "bench")
		must(err)
		b.atEnd(func() { _ = os.RemoveAll(dir) })
		return filepath.Join(dir, "one.db"), filepath.Join(dir, "two.db")
	}).rows()
	if err := pgtest.Installed(); err != nil {
		fmt.Println("left out: durable orders on Postgres:", err)
		return rows
	}
	return append(rows, newDurable("Postgres", func(b *bench) (one, two string) {
		c, err := pgtest.New() // with fsync
		must(err)
		b.atEnd(func() { _ = c.Close() })
		one, err = c.Database()
		must(err)
		two, err = c.Database()
		must(err)
		return one, two
	}).rows()...)
}

// durable are rows that are different views of the same rounds. The row that is opened first
// measures them.
type durable struct {
	database  string
	databases func(*bench) (one, two string)
	rounds    []durableRound
}

type durableRound struct{ ours, base durableSample }

// durableSample is what a round of orders at one shop shows.
type durableSample struct {
	acknowledged float64 // ns an order, until the last was answered
	through      float64 // ns an order, until the last step was done
	cpu          float64 // ns an order, with all steps
	toStep       float64 // ns from a response to its first step, the median of single orders
}

func newDurable(database string, databases func(*bench) (one, two string)) *durable {
	return &durable{database: database, databases: databases}
}

const (
	durableRounds  = 20
	durableOrders  = 200 // a round
	durableClients = 8
	durableSingles = 7
)

func (d *durable) rows() []row {
	view := func(what string, of func(durableSample) float64) row {
		return row{fmt.Sprintf(what, d.database), "hand-written River job", "ns", ratio(1.1), durableRounds,
			func(b *bench) round { return d.replay(b, of) }}
	}
	return []row{
		view("durable orders on %s, acknowledged: time", func(s durableSample) float64 { return s.acknowledged }),
		view("durable orders on %s, all steps done: time", func(s durableSample) float64 { return s.through }),
		// Of the shop's process: Postgres does its part in others, which the time above includes.
		view("durable orders on %s, all steps done: CPU time", func(s durableSample) float64 { return s.cpu }),
		view("durable order on %s: from response to first step", func(s durableSample) float64 { return s.toStep }),
	}
}

func (d *durable) replay(b *bench, of func(durableSample) float64) round {
	if d.rounds == nil {
		d.measure(b)
	}
	next := 0
	return func() (ours, base float64) {
		r := d.rounds[next]
		next++
		return of(r.ours), of(r.base)
	}
}

func (d *durable) measure(b *bench) {
	one, two := d.databases(b)
	ours, base := b.durableSide(d.database, "bridge", one), b.durableSide(d.database, "hand", two)
	for range min(b.rounds, durableRounds) {
		var r durableRound
		b.pair(func() float64 { r.ours = ours(); return math.NaN() },
			func() float64 { r.base = base(); return math.NaN() })()
		d.rounds = append(d.rounds, r)
	}
}

// durableSide starts a shop and returns what has a round of orders made there.
func (b *bench) durableSide(database, kind, url string) func() durableSample {
	addr := b.launch(durableKind(database, kind, url))
	all, admin := b.clients(addr, durableClients), b.clients(addr, 1)[0]
	n := b.scale(durableOrders, durableClients)
	saturate(all, n, anOrder)
	return func() (s durableSample) {
		quiet(admin)
		before := admin.cpuOf()
		begin := time.Now()
		s.acknowledged = saturate(all, n, anOrder)
		through(admin)
		s.through = float64(time.Since(begin)) / float64(n)
		quiet(admin)
		s.cpu = (admin.cpuOf() - before) / float64(n)
		s.toStep = untilStep(admin, b.scale(durableSingles, 1))
		return s
	}
}

// through waits until all units of the shop are, and returns when the last of them began.
func through(admin *client) time.Time {
	began, err := strconv.ParseInt(string(admin.do(get("/through"))), 10, 64)
	must(err)
	return time.Unix(0, began)
}

// quiet waits until the shop has nothing to do: River notes some 50 ms after a job's end that it
// has ended.
func quiet(admin *client) {
	through(admin)
	time.Sleep(durablePoll * 3 / 2)
}

// untilStep is the median time from a response's arrival to the first step of its unit, of n
// orders. A step begins when River looks for jobs, which it does every durablePoll and did when
// the step before began. So the orders are sent at moments that are spread evenly between two
// looks, from where chance has it: neither shop is then favoured by how long the rest takes it.
func untilStep(admin *client, n int) float64 {
	took := make([]time.Duration, n)
	admin.do(anOrder)
	began, from := through(admin), rand.Float64()
	for i := range took {
		part := (float64(i) + from) / float64(n)
		time.Sleep(time.Until(began.Add(durablePoll + time.Duration(part*float64(durablePoll)))))
		admin.do(anOrder)
		arrived := time.Now()
		began = through(admin)
		took[i] = began.Sub(arrived)
	}
	slices.Sort(took)
	return at(took, 0.5)
}
