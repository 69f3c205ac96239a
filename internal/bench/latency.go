package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// These rows are about moments: when a client has its response, and when a task runs.

func latencyRows() []row {
	return []row{
		{"HTTP/1.1: from the response's arrival to its task", "", "ns", atMost(50e3), 0, func(b *bench) round { return b.untilTask(false) }},
		{"HTTP/2: from the response's arrival to its task", "", "ns", atMost(5e6), 0, func(b *bench) round { return b.untilTask(true) }},
		{"the next request on a connection, after a task of 200 ms", "with no task", "ns", difference(50e3), 0, func(b *bench) round {
			n := b.scale(200, 3)
			sleep := func(context.Context) error { time.Sleep(200 * time.Millisecond); return nil }
			ours, base := b.served(sleep), b.served(nil)
			return b.pair(func() float64 { return saturate(ours, n, anOrder) }, func() float64 { return saturate(base, n, anOrder) })
		}},
		{"short lists beside 500 long tasks", "no long tasks", "ns", ratio(1.1), 0, func(b *bench) round {
			beside, alone := besideLong(b, 500), besideLong(b, 0)
			return b.timed(beside, alone)
		}},
		onOneCore(1, ratio(1)), onOneCore(4, ratio(0.6)),
	}
}

func onOneCore(tasks int, goal goal) row {
	return row{fmt.Sprintf("%s, on 1 core", counted(tasks)), "hand-written goroutine, as safe, each", "ns", goal, 0, func(b *bench) round {
		before := runtime.GOMAXPROCS(1)
		b.atEnd(func() { runtime.GOMAXPROCS(before) })
		return against(tasks, func(*bench) rival { return safe() })(b)
	}}
}

func counted(tasks int) string {
	if tasks == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", tasks)
}

// listen serves h, attached, until the row ends.
func (b *bench) listen(h http.Handler, http2 bool) string {
	srv := &http.Server{Handler: h, Protocols: protocols(http2)}
	chimw.Attach(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() { _ = srv.Serve(ln) }()
	b.atEnd(func() { _ = srv.Close() })
	return ln.Addr().String()
}

func protocols(http2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	return p
}

// served is one connection to a server whose requests have that task, if it is not nil.
func (b *bench) served(task bgtasks.Func) []*client {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1, MaxRunning: -1})
	h := router(func(_ http.ResponseWriter, r *http.Request) {
		if task != nil {
			must(bgtasks.Add(r.Context(), "task", task))
		}
	}, chimw.BackgroundTasks(run))
	return b.clients(b.listen(h, false), 1)
}

// untilTask is the median time from when the client has read a response to when its task runs;
// negative if the task is the first.
func (b *bench) untilTask(http2 bool) round {
	ran := make(chan time.Time, 1)
	run := bgtasks.New(bgtasks.Config{})
	addr := b.listen(router(func(_ http.ResponseWriter, r *http.Request) {
		must(bgtasks.Add(r.Context(), "task", func(context.Context) error { ran <- time.Now(); return nil }))
	}, chimw.BackgroundTasks(run)), http2)
	transport := &http.Transport{Protocols: protocols(http2)}
	b.atEnd(transport.CloseIdleConnections)
	c := &http.Client{Transport: transport}
	return func() (float64, float64) {
		took := make([]time.Duration, b.scale(40, 3))
		for i := range took {
			res, err := c.Post("http://"+addr+"/orders/7", "", nil)
			must(err)
			_, err = io.ReadAll(res.Body)
			arrived := time.Now()
			must(err)
			_ = res.Body.Close()
			took[i] = (<-ran).Sub(arrived)
		}
		slices.Sort(took)
		return at(took, 0.5), math.NaN()
	}
}

// besideLong runs short lists while so many lists are in a task that takes long.
func besideLong(b *bench, long int) side {
	run := bgtasks.New(bgtasks.Config{MaxPending: -1})
	end := make(chan struct{})
	b.atEnd(func() { close(end) })
	for range long {
		ctx, list := run.Open(context.Background(), bgtasks.Info{})
		must(bgtasks.Add(ctx, "long", func(context.Context) error { <-end; return nil }))
		list.Start(bgtasks.Outcome{})
	}
	return lists(run)
}
