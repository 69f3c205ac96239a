package main

import (
	"runtime"
	"sync"
	"time"
)

// These rows have requests answered while tasks compute that want twice what the machine has.

// reportsPerSecond is twice what its cores can do, 20 ms each.
var reportsPerSecond = 2 * 50 * runtime.NumCPU()

func busyRows() []row {
	var rows []row
	for _, limit := range []struct{ kind, name string }{
		{"report, 1", "MaxRunning 1"}, {"report, 2", "MaxRunning 2"}, {"report, all", "no MaxRunning"},
	} {
		rows = append(rows, row{"p99 beside computing tasks, " + limit.name, "beside plain goroutines", "ns", noGoal(), 5, func(b *bench) round {
			return func() (float64, float64) { return b.foreground(limit.kind), b.foreground("report") }
		}})
	}
	return rows
}

// foreground is the 99th percentile of requests for orders at a modest rate, beside requests
// whose tasks compute for 20 ms each, sent twice as fast as the machine can do that. The server
// is a new one each time, as what it has not done goes on.
func (b *bench) foreground(kind string) float64 {
	defer b.close()
	addr := b.launch(kind)
	const seconds = 3
	reports, orders := b.clients(addr, 8), b.clients(addr, 32)
	saturate(orders, 32, anOrder)
	var wg sync.WaitGroup
	wg.Go(func() {
		perSecond := b.scale(reportsPerSecond, 10)
		paced(reports, seconds*perSecond, time.Second/time.Duration(perSecond), post("/report", ""))
	})
	perSecond := b.scale(250, 10)
	took := paced(orders, seconds*perSecond, time.Second/time.Duration(perSecond), anOrder)
	wg.Wait()
	return at(took, 0.99)
}
