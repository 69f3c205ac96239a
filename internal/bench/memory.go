package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// These rows tell what is kept of a request whose task waits, and whether a task costs more
// when many do.

func memoryRows() []row {
	rows := []row{
		{"a pending list of one task: memory", "", "bytes", atMost(512), 10, func(b *bench) round {
			n := b.scale(50_000, 100)
			return func() (float64, float64) { return pendingBytes(n), math.NaN() }
		}},
		{"the same behind a server, beyond what is captured", "a closure and its context, kept by hand", "bytes", difference(512), 10, func(b *bench) round {
			n := b.scale(4000, 50)
			return b.pair(func() float64 { return b.pendingServed(n) }, func() float64 { return b.keptByHand(n) })
		}},
	}
	for _, pending := range []int{1000, 100_000, 1_000_000} {
		rows = append(rows, row{spell(pending) + " pending: memory of each", "", "bytes", atMost(512), 10, func(b *bench) round {
			return func() (float64, float64) { return pendingBytes(b.scale(pending, 100)), math.NaN() }
		}}, growth(pending))
	}
	return rows
}

// pendingBytes is what each of n lists takes while its task waits.
func pendingBytes(n int) float64 {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1})
	var all ran
	all.Add(n)
	ready := make([]*bgtasks.List, n)
	bytes := grown(n, func(i int) { ready[i] = opened(run, &all, 1) })
	start(ready)
	all.Wait()
	return bytes
}

// grown is how much the heap grows by each of n calls.
func grown(n int, do func(i int)) float64 {
	before := heapInUse()
	for i := range n {
		do(i)
	}
	return float64(heapInUse()-before) / float64(n)
}

func heapInUse() int64 {
	runtime.GC() // twice: what pools hold goes with the second
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func start(ready []*bgtasks.List) {
	for _, list := range ready {
		list.Start(bgtasks.Outcome{})
	}
}

// pendingServed is what n requests to an attached server leave behind whose tasks wait.
func (b *bench) pendingServed(n int) float64 {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1, MaxRunning: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	_, first := run.Open(context.Background(), bgtasks.Info{})
	ctx, blocker := run.Open(context.Background(), bgtasks.Info{})
	first.Start(bgtasks.Outcome{})
	must(bgtasks.Add(ctx, "holds the only place", func(context.Context) error { close(held); <-hold; return nil }))
	blocker.Start(bgtasks.Outcome{})
	<-held
	h := router(func(_ http.ResponseWriter, r *http.Request) {
		must(bgtasks.Add(r.Context(), "task", nothing))
	}, chimw.BackgroundTasks(run))
	bytes := afterRequests(h, n)
	close(hold)
	must(run.Wait(context.Background()))
	return bytes
}

// keptByHand is the same where the handler keeps, for each request, a function to call later
// with a context of the request's values.
func (b *bench) keptByHand(n int) float64 {
	var mu sync.Mutex
	later := make([]func(), 0, n+1)
	h := router(func(_ http.ResponseWriter, r *http.Request) {
		ctx := detached(r)
		mu.Lock()
		defer mu.Unlock()
		later = append(later, func() { guarded(ctx, "task", nothing) })
	})
	bytes := afterRequests(h, n)
	runtime.KeepAlive(later)
	return bytes
}

// afterRequests serves h, attached, sends it n requests, and returns what the heap has grown by
// for each.
func afterRequests(h http.Handler, n int) float64 {
	srv := &http.Server{Handler: h}
	chimw.Attach(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	c := dial(ln.Addr().String())
	defer c.Close()
	c.do(anOrder)
	return grown(n, func(int) { c.do(anOrder) })
}

// growth compares the time of each task, from opening its list to its end, where that many
// wait at once with that where one does.
func growth(pending int) row {
	return row{spell(pending) + " pending: time of each", "1 pending", "ns", ratio(1.5), 10, func(b *bench) round {
		n := b.scale(pending, 100)
		many, one := batches(n), batches(1)
		return b.pair(func() float64 { return perOp(many, max(n, 200_000/b.scale(1, 200_000))) },
			func() float64 { return perOp(one, b.scale(200_000, 100)) })
	}}
}

// spell writes n with a comma every three digits.
func spell(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", spell(n/1000), n%1000)
}

// batches opens size lists at a time, and then starts them and waits for their end.
func batches(size int) side {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1})
	return clocked(func(n int) {
		ready := make([]*bgtasks.List, size)
		for done := 0; done < n; done += size {
			var all ran
			all.Add(size)
			for i := range ready {
				ready[i] = opened(run, &all, 1)
			}
			start(ready)
			all.Wait()
		}
	})
}
