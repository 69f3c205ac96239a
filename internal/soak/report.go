package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// A report has the figures of a soak.
type report struct {
	seed    uint64
	clients int
	took    time.Duration
	dir     string // with what is needed to find out; empty if all is well

	mu       sync.Mutex
	requests map[string]int // by kind of client, those to a process that no longer listens included
	answered int            // of the target's
	faults   map[string]int // by kind
	beside   int            // requests answered on connections with a stream that was reset, or never read
	restarts int

	ledger    figures
	ackedShop map[string]int // of orders, by kind
	stored    map[string]int // what orders has in the end, acknowledged or not
	steps     int            // of orders, that have ended
	named     int            // of the tasks of orders, as unfinished
	leftFiles int            // temporary ones of those

	foreign          int
	memory           int64 // most, of the target
	ordersRSS        int64
	ordersGoroutines int
	goroutines       int
	longest          time.Duration // shutdown
	overload         []overloaded
	recoveries       []recovery
	broken           []string
}

func newReport(cfg config) *report {
	return &report{seed: cfg.seed, clients: cfg.clients + cfg.idle, requests: map[string]int{}, faults: map[string]int{},
		ackedShop: map[string]int{}, stored: map[string]int{}}
}

// breaks notes that a promise was broken.
func (r *report) breaks(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, fmt.Sprintf(format, args...))
}

func (r *report) request(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests[kind]++
}

// isAnswered notes that the head of the answer to q has arrived.
func (r *report) isAnswered(q plan.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered++
	if q.Status >= 400 {
		r.faults["status "+strconv.Itoa(q.Status)]++
	}
}

func (r *report) fault(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[kind]++
}

// isAnsweredBeside notes that a request was answered beside a stream that was reset or never
// read.
func (r *report) isAnsweredBeside() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beside++
}

// isForeign notes an answer that is not wholly its own request's.
func (r *report) isForeign(format string, args ...any) {
	r.breaks("foreign bytes: "+format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign++
}

func (r *report) shutdown(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest = max(r.longest, took)
}

// sample looks at the process's memory and goroutines until it ends.
func (r *report) sample(t *process) {
	for {
		now, _ := t.stats()
		memory := t.memory()
		r.mu.Lock()
		r.memory = max(r.memory, memory)
		r.goroutines = max(r.goroutines, now.Goroutines)
		r.mu.Unlock()
		select {
		case <-t.exited:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// mostMemory is several times what a process takes at its peak, overloads included. Under the race
// detector memory says little.
const mostMemory = 256 << 20

func (r *report) memoryIsBounded(race bool) {
	r.mu.Lock()
	most := max(r.memory, r.ordersRSS)
	r.mu.Unlock()
	if most > mostMemory && !race {
		r.breaks("a process took %d MiB", most>>20)
	}
}

func total(m map[string]int) (n int) {
	for _, count := range m {
		n += count
	}
	return n
}

func (r *report) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d attempts, %d answered, %d MiB, %d goroutines, %d broken",
		total(r.requests), r.answered, r.memory>>20, r.goroutines, len(r.broken))
}

func counts(m map[string]int) string {
	var all []string
	for kind, n := range m {
		all = append(all, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (r *report) String() string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-22s %s\n", what, fmt.Sprintf(format, args...))
	}
	f := &r.ledger
	row("seed, time, clients", "%d, %s, %d", r.seed, r.took.Round(time.Second), r.clients)
	row("attempts", "%d, also while nobody listens (%s)", total(r.requests), counts(r.requests))
	row("answered", "%d, %d of them acknowledged", r.answered, f.acknowledged)
	row("answered beside", "%d, a stream that was reset or never read", r.beside)
	row("orders acknowledged", "%d (%s)", total(r.ackedShop), counts(r.ackedShop))
	row("orders stored", "%d (%s)", total(r.stored), counts(r.stored))
	row("tasks", "%d accepted, %d of acknowledged requests; %d runs; %d steps of orders", f.accepted, f.expected, f.runs, r.steps)
	row("tasks by kind", "%s", counts(f.kinds))
	row("faults", "%d (%s)", total(r.faults), counts(r.faults))
	row("restarts", "%d, the longest shutdown %s", r.restarts, r.longest.Round(10*time.Millisecond))
	row("after a restart", "%s", r.afterRestarts())
	row("named as unfinished", "%d, and %d of orders, which left %d temporary files", f.named, r.named, r.leftFiles)
	row("lost", "%d", f.lost)
	row("doubled", "%d", f.doubled)
	row("out of order", "%d", f.disordered)
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		row("early, "+proto, "%d of %d lists", f.early[proto], f.early[proto]+f.inTime[proto])
	}
	row("not sent by then", "%d (clients that do not read, or have gone)", f.unsent)
	row("beside a stuck handler", "%d tasks that wrote, and were refused", f.beside)
	row("foreign bytes", "%d", r.foreign)
	row("wrong in a task", "%d (another's parameters, an upload gone, a write let through)", f.wrong)
	row("peak memory", "%d MiB; orders %d MiB", r.memory>>20, r.ordersRSS>>20)
	row("peak goroutines", "%d; orders %d", r.goroutines, r.ordersGoroutines)
	for _, o := range r.overload {
		row("overload", "%s", o)
	}
	for i, what := range r.broken {
		if i == 20 {
			row("BROKEN", "and %d more", len(r.broken)-i)
			break
		}
		row("BROKEN", "%s", what)
	}
	if r.dir != "" {
		row("look at", "%s", r.dir)
	}
	return b.String()
}
