package bgtasks

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A List holds the tasks of one request. Handlers do not see it: they use Add. Its
// methods are for integrations, which open one for each request, call Await when the
// handler has returned and Start when the response has been sent.
//
// A list is made by Runner.Open, or is part of a larger struct and set up by Init. It
// must not be copied.
type List struct {
	runner *Runner
	host   Host
	ctx    context.Context // as given to Open

	awaited atomic.Bool // Await or Start has been called

	mu       sync.Mutex
	phase    phase
	returned bool // the handler has, and the host has been asked
	gaveUp   bool // its tasks have been named in a ShutdownError
	reported bool // Report has logged a line while no task was running
	listed   bool // in the registry
	queue    queue
	outcome  Outcome // does not change once the list has started: see known
	cleanup  func() error
	starting func(Outcome) // see AfterResponse
	running  *attempt      // the latest, of the task that runs
	rare     *rare

	heldSince time.Duration // by the runner's clock

	id          uint64 // these belong to the registry
	entry       uint64
	prev, next  *List
	nextWaiting *List // and this to places
}

// rare is what few lists need.
type rare struct {
	failed string   // the first task that failed, for StopOnError
	late   *Outcome // in place of outcome, where the handler returned after the list's start
	stuck  stuck
}

func (l *List) rarely() *rare {
	if l.rare == nil {
		l.rare = new(rare)
	}
	return l.rare
}

// known is the outcome as far as it is known. What it points to does not change once the list
// has started: its tasks may look at it without a lock.
func (l *List) known() *Outcome {
	if l.rare != nil && l.rare.late != nil {
		return l.rare.late
	}
	return &l.outcome
}

// phase of a list: each is reached once, in this order; some lists skip some.
type phase uint8

const (
	open    phase = iota // the handler runs, and adds
	held                 // it has returned; the response has not been sent
	started              // runs, or waits for a place to run
	ended
)

// A Host is what a List asks of the integration that has opened it.
type Host interface {
	// Capture is called by Add and AfterResponse in a handler, in its goroutine, with the context
	// that they were given, and returns the one whose values the task is to see: the same,
	// except where values in it do not outlive the request. Like the methods below it
	// is called under the list's lock, and must not use the list.
	Capture(ctx context.Context) context.Context

	// About fills in Route, Method and RequestID. Add calls it, with the context that it
	// was given; any goroutine may, with one that Capture has returned or, once there has
	// been one, with that given to Init.
	About(ctx context.Context) Info

	// Writing reports whether the handler is inside a write of the response at the
	// moment, and a number that changes with all progress. Any goroutine may call it.
	Writing() (progress uint64, writing bool)

	// Detach is called once, before the first task starts: what the captured contexts
	// hold must be independent of the request from then on. That is when the handler has
	// returned, or, with returned false, while it is stuck in a write (see
	// Config.SendTimeout); then the outcome is as far as it is known.
	Detach(returned bool) Outcome

	// Cleanup is called once, when the handler has returned, without the list's lock.
	// What it returns, unless nil, is called when the list has ended, also one without
	// tasks.
	Cleanup() func() error
}

// fixed is the Host of a list that Open has made.
type fixed struct{ route, method, requestID string }

func (fixed) Capture(ctx context.Context) context.Context { return ctx }
func (f fixed) About(context.Context) Info {
	return Info{Route: f.route, Method: f.method, RequestID: f.requestID}
}
func (fixed) Writing() (uint64, bool) { return 0, false }
func (fixed) Detach(bool) Outcome     { return Outcome{} }
func (fixed) Cleanup() func() error   { return nil }

// Open begins a list. Contexts derived from the one it returns are those that Add takes;
// about says what is known of the request (Route, Method and RequestID; the rest is set
// by the list). Call Start once the response has been sent, whatever became of it. A
// list that is never started and has tasks keeps Shutdown waiting.
func (r *Runner) Open(ctx context.Context, about Info) (context.Context, *List) {
	l := new(List)
	return l.Init(r, ctx, fixed{about.Route, about.Method, about.RequestID}), l
}

// Init is Open for an integration that keeps the List, which must be new, in a struct of
// its own and is asked about the request by way of host.
func (l *List) Init(r *Runner, ctx context.Context, host Host) context.Context {
	if r.fresh.Load() {
		r.fresh.Store(false)
	}
	l.runner, l.ctx, l.host = r, ctx, host
	return listContext{l}
}

// Opened reports whether ctx has a list of r that is for the same request: an
// integration that is installed twice then does nothing the second time.
func (r *Runner) Opened(ctx context.Context) bool {
	_, ok := ctx.Value(runnerKey{r}).(*List)
	return ok
}

// Len is how many tasks are pending: added, and neither started nor taken back.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.pending
}

// Await says that the handler has returned. From now on only the list's own tasks may
// add to it. It reports whether there is anything to wait for: if so, Start is to be
// called when the response has been sent, and the list starts by itself, with o, when
// Config.SendTimeout has passed; if not, the list has ended, or started already. Only the
// first call counts.
func (l *List) Await(o Outcome) bool {
	if l.awaited.Swap(true) {
		return false
	}
	cleanup := l.host.Cleanup()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.left(o, cleanup) {
		return false
	}
	r := l.runner
	l.heldSince = r.clock.now()
	if at := r.sender.until(l.heldSince); at != noLimit {
		r.sender.arm(at)
	}
	return true
}

// Start hands the list to its runner, which runs its tasks in goroutines of its own: Start
// does not wait for them. Only the first call counts, and none after the list has started
// by itself. Without an Await before it, Start also says that the handler has returned; it
// must not be called at the same time as Await.
func (l *List) Start(o Outcome) {
	var cleanup func() error
	first := !l.awaited.Swap(true)
	if first {
		cleanup = l.host.Cleanup()
	}
	if l.ready(o, first, cleanup) {
		l.runner.dispatch(l)
	}
}

// ready reports whether l is to be dispatched, which it is once.
func (l *List) ready(o Outcome, first bool, cleanup func() error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first && !l.left(o, cleanup) || l.phase != held {
		return false
	}
	l.outcome = o
	return l.begin()
}

// left notes that the handler has returned, and reports whether l has anything to do after it.
func (l *List) left(o Outcome, cleanup func() error) bool {
	l.returned = true
	if l.phase != open { // it started while its handler was stuck in a write
		late := o // not &o, which would allocate for every list
		l.rarely().late = &late
		l.cleanUpLate(cleanup)
		return false
	}
	if cleanup == nil && l.untouched() { // as most are
		l.phase = ended
		return false
	}
	l.host.Detach(true)
	l.outcome, l.cleanup = o, cleanup
	if l.idle() {
		l.end()
		return false
	}
	l.enroll()
	l.phase = held
	return true
}

// untouched reports that nobody has added to l anything.
func (l *List) untouched() bool { return l.queue.empty() && l.starting == nil && !l.listed }

// idle reports that there is nothing for l to do.
func (l *List) idle() bool {
	return l.queue.pending == 0 && l.cleanup == nil && l.starting == nil
}

// begin moves l to started; it is false for a list without tasks, which ends. What such a
// list has to clean up does not wait for a place among those that run: nothing limits how
// many of these lists there are (a client need only claim to send a form).
func (l *List) begin() bool {
	l.announce()
	if l.queue.pending > 0 {
		l.phase = started
		return true
	}
	l.phase = ended
	if l.cleanup == nil {
		l.end()
		return false
	}
	go l.cleanUpAndEnd(l.cleanup)
	l.cleanup = nil
	return false
}

// enroll has the runner know of l, and reports whether it didn't yet.
func (l *List) enroll() bool {
	if l.listed {
		return false
	}
	l.runner.lists.add(l)
	return true
}

func (l *List) end() {
	l.phase = ended
	l.runner.lists.remove(l)
}

// cleanUpLate runs cleanup for a list that started before its handler returned: at the
// list's end, or now if that is past.
func (l *List) cleanUpLate(cleanup func() error) {
	switch {
	case cleanup == nil:
	case l.phase == ended:
		go l.cleanUp(cleanup)
	default:
		l.cleanup = cleanup
	}
}

func (l *List) cleanUpAndEnd(cleanup func() error) {
	defer l.locked(l.end) // also if a log handler calls runtime.Goexit
	l.cleanUp(cleanup)
}

func (l *List) cleanUp(cleanup func() error) {
	l.runner.guard("cleanup", func() {
		if err := cleanup(); err != nil {
			l.runner.log(l.ctx, slog.LevelError, "bgtasks: cleanup failed", Info{ID: l.id}, errAttr(err))
		}
	})
}
