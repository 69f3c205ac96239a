package chimw_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// A workload answers requests in every way, each with a handful of tasks that end in every
// way, and keeps its own count of what it was told and of what ran.
type workload struct {
	accepted, refused atomic.Int64 // by Add, as the handler saw it
	ran               atomic.Int64 // tasks whose code was entered
	disorder          atomic.Int64 // tasks that ran twice, or after a later one
	requests          atomic.Int64
	hang              bool                 // some tasks wait until they are cancelled
	onRequest         func(requests int64) // unless nil
}

// A sequence watches the tasks of one request.
type sequence struct {
	*workload
	added int
	last  atomic.Int64
	dice  *rand.Rand // the handler's only
}

var errTask = errors.New("as expected")

func (l *workload) router(run *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Get("/jobs/{i}", l.serve)
	return r
}

func (l *workload) serve(w http.ResponseWriter, r *http.Request) {
	n := l.requests.Add(1)
	if l.onRequest != nil {
		l.onRequest(n)
	}
	s := &sequence{workload: l, dice: rand.New(rand.NewPCG(uint64(number(r)), 3))}
	for range s.dice.IntN(5) {
		s.addOne(r.Context())
	}
	s.respond(w, r)
}

func (s *sequence) respond(w http.ResponseWriter, r *http.Request) {
	switch s.dice.IntN(40) {
	case 0:
		panic(http.ErrAbortHandler)
	case 1:
		panic("as expected")
	case 2, 3:
		render.Status(r, http.StatusInternalServerError)
		render.PlainText(w, r, "sorry")
	case 4, 5, 6, 7:
		render.PlainText(w, r, strings.Repeat("long", 2000))
	case 8:
		render.NoContent(w, r)
	default:
		render.PlainText(w, r, "ok")
	}
}

// addOne adds a task of some kind.
func (s *sequence) addOne(ctx context.Context) {
	switch s.dice.IntN(15) {
	case 0:
		s.add(ctx, "fails", func(context.Context) error { return errTask })
	case 1:
		s.add(ctx, "panics", func(context.Context) error { panic(errTask) })
	case 2:
		s.add(ctx, "exits", func(context.Context) error { runtime.Goexit(); return nil })
	case 3:
		s.add(ctx, "times out", untilCancelled, bgtasks.Timeout(time.Millisecond))
	case 4:
		s.add(ctx, "skipped", succeed, bgtasks.When(bgtasks.Outcome.Failed))
	case 5:
		s.add(ctx, "needs", succeed, bgtasks.Needs("fails"))
	case 6:
		s.add(ctx, "adds", func(ctx context.Context) error {
			s.add(ctx, "added", succeed)
			s.add(ctx, "added", func(context.Context) error { panic(errTask) })
			return nil
		})
	case 7:
		s.add(ctx, "taken back", succeed)
		bgtasks.Forget(ctx, "taken back")
	case 8:
		s.add(ctx, "retried", untilSecondAttempt, bgtasks.Retry(2, bgtasks.Backoff(time.Microsecond, time.Microsecond)))
	case 9:
		if s.hang {
			s.add(ctx, "hangs", untilCancelled)
		}
	case 10:
		s.add(ctx, "", succeed) // refused
	default:
		s.add(ctx, "succeeds", succeed)
	}
}

// add has the task report its place in the sequence. Only the handler or, after it, one task
// adds at a time.
func (s *sequence) add(ctx context.Context, name string, fn bgtasks.Func, opts ...bgtasks.Option) {
	s.added++
	place := int64(s.added)
	err := bgtasks.Add(ctx, name, func(ctx context.Context) error {
		if info, _ := bgtasks.InfoFrom(ctx); info.Attempt == 1 {
			s.ran.Add(1)
			if s.last.Swap(place) >= place {
				s.disorder.Add(1)
			}
		}
		return fn(ctx)
	}, opts...)
	if err != nil {
		s.refused.Add(1)
		return
	}
	s.accepted.Add(1)
}

func succeed(context.Context) error { return nil }

func untilCancelled(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func untilSecondAttempt(ctx context.Context) error {
	if info, _ := bgtasks.InfoFrom(ctx); info.Attempt == 2 {
		return nil
	}
	return errTask
}
