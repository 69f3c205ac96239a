package bgtasks

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/testhook"
)

// A Runner runs the task lists of requests. One is enough for a program; make it with
// New. All methods may be called from any goroutine, Use and Observe only before the
// first request.
type Runner struct {
	cfg        Config
	middleware []Middleware
	observers  []func(Event)
	hook       testhook.Func // nil but for package bgtest
	fresh      atomic.Bool   // no list has been opened yet

	epoch time.Time // what monotonic times are counted from

	lists   registry // those with tasks
	places  places   // MaxRunning
	pending atomic.Int64
	counts  counts
	refused refusals

	sender sendWatch // SendTimeout
	down   shutdown

	live context.Context // parent of every task's context, ended by the end of a shutdown
	kill context.CancelCauseFunc
}

// New returns a Runner. It starts nothing: a runner that is no longer used needs no
// closing, though Shutdown is how to wait for its tasks. For a testing/synctest bubble make
// it inside.
func New(cfg Config) *Runner {
	r := &Runner{cfg: cfg.withDefaults(), epoch: time.Now()}
	r.fresh.Store(true)
	r.places.max = int64(r.cfg.MaxRunning)
	r.live, r.kill = context.WithCancelCause(context.Background())
	r.down.init()
	r.sender.init(r)
	return r
}

// Use puts middleware around every task, the first given outermost. It panics once a
// list has been opened, as chi's Use does once there is a route, and for a nil
// middleware.
func (r *Runner) Use(mws ...Middleware) {
	r.mustBeFresh("Use")
	for _, mw := range mws {
		if mw == nil {
			panic("bgtasks: Use: nil Middleware")
		}
	}
	r.middleware = append(r.middleware, mws...)
}

func (r *Runner) mustBeFresh(method string) {
	if !r.fresh.Load() {
		panic("bgtasks: " + method + " must be called before the first request")
	}
}

// now is the monotonic time since r was made.
func (r *Runner) now() time.Duration { return time.Since(r.epoch) }

// reserve takes one of MaxPending places.
func (r *Runner) reserve() bool {
	for {
		n := r.pending.Load()
		if n >= int64(r.cfg.MaxPending) {
			return false
		}
		if r.pending.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// dispatch has l run, now or when there is a place for it.
func (r *Runner) dispatch(l *List) {
	if r.places.take() {
		go r.work(l)
		return
	}
	r.places.enqueue(l)
	if next := r.places.next(); next != nil { // a place may have come free meanwhile
		go r.work(next)
	}
}

// work runs l, and then the lists that wait for a place.
func (r *Runner) work(l *List) {
	defer func() {
		if l != nil { // runtime.Goexit: this goroutine ends with the task that called it
			go r.resume(l)
		}
	}()
	for l != nil {
		l.drain()
		l = r.places.pass()
	}
}

// resume goes on with l after its current task has called runtime.Goexit, or something else
// has (a log handler, say).
func (r *Runner) resume(l *List) {
	defer func() { go r.work(l) }() // also if a log handler ends this goroutine in its turn
	if a := l.current(); a != nil {
		l.finish(a, ErrGoexit)
	}
}
