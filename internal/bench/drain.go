package main

import (
	"context"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/panjf2000/ants/v2"
)

// These rows run many functions that do next to nothing, as when many responses have been
// sent at once: in lists of one task each, or in a pool.

func drainRows() []row {
	var rows []row
	for _, pool := range []struct {
		name string
		make func(*bench) func(func())
	}{
		{"pond v2, Go", func(b *bench) func(func()) {
			p := pond.NewPool(mostRunning)
			b.atEnd(p.StopAndWait)
			return func(fn func()) { _ = p.Go(fn) }
		}},
		{"pond v2, Submit", func(b *bench) func(func()) {
			p := pond.NewPool(mostRunning)
			b.atEnd(p.StopAndWait)
			return func(fn func()) { p.Submit(fn) }
		}},
		{"ants v2", func(b *bench) func(func()) {
			p, err := ants.NewPool(mostRunning)
			if err != nil {
				panic(err)
			}
			b.atEnd(p.Release)
			return func(fn func()) { _ = p.Submit(fn) }
		}},
	} {
		rows = append(rows,
			row{"draining short lists", pool.name, "ns", ratio(1), 0, func(b *bench) round {
				return b.timed(drained(), each(pool.make(b)))
			}},
			row{"opening, adding to and draining short lists", pool.name, "ns", noGoal(), 0, func(b *bench) round {
				return b.timed(lists(bgtasks.New(bgtasks.Config{MaxPending: -1})), each(pool.make(b)))
			}})
	}
	return rows
}

// burst is how many come at once in these rows.
const burst = 1000

// drained has lists of one task started and run, a burst of them at a time; they were opened
// and added to before.
func drained() side {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1})
	ready := make([]*bgtasks.List, burst)
	return inBursts(func(all *ran) {
		for i := range ready {
			ready[i] = opened(run, all, 1)
		}
	}, func(*ran) { start(ready) })
}

// inBursts prepares and does n, a burst at a time, waits for the end of each, and counts what
// doing took.
func inBursts(prepare, do func(all *ran)) side {
	return func(n int) (took time.Duration) {
		for done := 0; done < n; done += burst {
			var all ran
			all.Add(burst)
			prepare(&all)
			took += clocked(func(int) {
				do(&all)
				all.Wait()
			})(burst)
		}
		return took * time.Duration(n) / time.Duration((n+burst-1)/burst*burst)
	}
}

// lists opens, adds to, starts and runs lists of one task.
func lists(run *bgtasks.Runner) side {
	return inBursts(func(*ran) {}, func(all *ran) {
		for range burst {
			opened(run, all, 1).Start(bgtasks.Outcome{})
		}
	})
}

func opened(run *bgtasks.Runner, all *ran, tasks int) *bgtasks.List {
	ctx, list := run.Open(context.Background(), bgtasks.Info{})
	for range tasks {
		if err := bgtasks.Add(ctx, "task", all.task); err != nil {
			panic(err)
		}
	}
	return list
}

// each hands a function to a pool n times, a burst at a time.
func each(submit func(func())) side {
	return inBursts(func(*ran) {}, func(all *ran) {
		for range burst {
			submit(all.Done)
		}
	})
}
