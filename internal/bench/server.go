package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

// A server to be measured is a process of its own, so that its CPU time is not the client's:
// this program, started again with the kind of server in its environment.

const serverEnv = "BENCH_SERVER"

// shop is a kind of server: how the route of an order is set up.
type shop struct {
	tasks int           // no-op tasks for each order
	other func() rival  // how they are run without our middleware
	plain bool          // without our middleware
	least leastMore     // with the least that the contract asks for instead; 0: no
	heavy time.Duration // how long the task of /report computes
	limit int           // Config.MaxRunning
}

var shops = map[string]shop{
	"bare":        {plain: true},
	"none":        {},
	"four":        {tasks: 4},
	"goroutine":   {tasks: 1, plain: true, other: unsafe},
	"goroutines":  {tasks: 4, plain: true, other: safe},
	"least":       {tasks: 4, plain: true, least: leastAccounts},
	"least, sent": {tasks: 4, plain: true, least: leastSent},
	"report":      {plain: true, heavy: 20 * time.Millisecond},
	"report, 1":   {heavy: 20 * time.Millisecond, limit: 1},
	"report, 2":   {heavy: 20 * time.Millisecond, limit: 2},
	"report, all": {heavy: 20 * time.Millisecond, limit: -1},
}

// An order is what a client sends.
type order struct {
	CustomerID string `json:"customer_id"`
	Email      string `json:"email"`
	Items      []struct {
		ID       string `json:"id"`
		Quantity int    `json:"quantity"`
	} `json:"items"`
}

// router has the middleware of the example program, without its log, and its route for
// orders, without its database: what is left is small, so that what is added shows.
func (s shop) router(run *bgtasks.Runner) http.Handler {
	add := func(r *http.Request) error { return bgtasks.Add(r.Context(), "task", nothing) }
	if s.other != nil {
		start := s.other()
		add = func(r *http.Request) error {
			start(r, "task", nothing)
			return nil
		}
	}
	if s.least > 0 {
		add = func(r *http.Request) error {
			addLeast(r, "task", nothing)
			return nil
		}
	}
	r := chi.NewRouter()
	r.Use(middleware.RequestSize(1<<20), middleware.RequestID, middleware.Heartbeat("/health"),
		middleware.Compress(5), middleware.StripSlashes)
	if !s.plain {
		r.Use(chimw.BackgroundTasks(run))
	}
	if s.least > 0 {
		r.Use(withLeast(s.least))
	}
	r.Use(middleware.Timeout(30 * time.Second))
	r.Route("/orders", func(r chi.Router) {
		r.Post("/{shop}", func(w http.ResponseWriter, r *http.Request) {
			var o order
			if err := render.DecodeJSON(r.Body, &o); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			for range s.tasks {
				if err := add(r); err != nil {
					http.Error(w, err.Error(), http.StatusServiceUnavailable)
					return
				}
			}
			render.Status(r, http.StatusCreated)
			render.JSON(w, r, map[string]any{"order_id": 1, "status": "created", "message": "Order created, processing in background"})
		})
	})
	r.Post("/report", func(w http.ResponseWriter, r *http.Request) {
		compute := func(context.Context) error { burn(s.heavy); return nil }
		if s.plain {
			go func() { _ = compute(context.WithoutCancel(r.Context())) }()
		} else if err := bgtasks.Add(r.Context(), "report", compute); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	r.Mount("/debug", middleware.Profiler())
	r.Get("/cpu", func(w http.ResponseWriter, r *http.Request) {
		_ = run.Wait(context.Background())
		fmt.Fprint(w, int64(cpu()))
	})
	return r
}

func nothing(context.Context) error { return nil }

// burnt is how often burn counts to a thousand in a millisecond, when nobody disturbs it.
var burnt = sync.OnceValue(func() int {
	best := 0
	for range 20 {
		n := 0
		for begin := time.Now(); time.Since(begin) < time.Millisecond; n++ {
			count(1)
		}
		best = max(best, n)
	}
	return best
})

// burn computes what takes that long for one who has a processor for himself.
func burn(d time.Duration) { count(int(float64(burnt()) * d.Seconds() * 1000)) }

func count(thousands int) {
	n := 0
	for range thousands * 1000 {
		n++
	}
	runtime.KeepAlive(n)
}

// serve is what the started process does: it prints its address, and ends with its input.
func serve(kind string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h, attached := handlerOf(kind)
	srv := &http.Server{Handler: h}
	if attached {
		chimw.Attach(srv)
	}
	if shops[kind].least == leastSent {
		attachLeast(srv)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(ln.Addr())
	return srv.Serve(ln)
}

func handlerOf(kind string) (h http.Handler, attached bool) {
	if h, ok := durableHandler(kind); ok {
		return h, true
	}
	s := shops[kind]
	if s.heavy > 0 {
		burnt()
	}
	return s.router(bgtasks.New(bgtasks.Config{MaxPending: -1, MaxRunning: s.limit})), !s.plain
}

// launch starts a server, until the row ends, and returns its address.
func (b *bench) launch(kind string) string {
	self, err := os.Executable()
	must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	b.atEnd(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	must(err)
	return strings.TrimSpace(addr)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
