package script

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
)

// Sites are two that play scripts: Without the middleware, and With it and a task that writes to
// the response when it is over.
type Sites struct {
	Without, With http.Handler

	run     *bgtasks.Runner
	added   atomic.Int64 // tasks
	refused atomic.Int64 // late writes
}

// NewSites returns sites whose runner logs nothing.
func NewSites() *Sites {
	s := &Sites{run: bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})}
	s.Without = router(Handler)
	s.With = router(func(w http.ResponseWriter, r *http.Request) {
		if bgtasks.Add(r.Context(), "write late", s.writeLate(w)) == nil {
			s.added.Add(1)
		}
		Handler(w, r)
	}, chimw.BackgroundTasks(s.run))
	return s
}

func router(h http.HandlerFunc, mws ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(mws...)
	r.HandleFunc(Path, h)
	r.Get(Probe, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(Text[:100]) })
	return r
}

func (s *Sites) writeLate(w http.ResponseWriter) bgtasks.Func {
	return func(context.Context) error {
		//bgvet:ignore it is to be refused
		if _, err := w.Write([]byte("too late")); errors.Is(err, bgtasks.ErrResponseSent) {
			s.refused.Add(1)
		}
		w.WriteHeader(http.StatusTeapot)     //bgvet:ignore it is to have no effect
		w.Header().Set("X-Late", "too late") //bgvet:ignore it is to have no effect
		return nil
	}
}

// RequireRefused waits for the tasks, of which there must have been some: what they wrote was
// refused.
func (s *Sites) RequireRefused(t testing.TB) {
	t.Helper()
	if err := s.run.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if added, refused := s.added.Load(), s.refused.Load(); added == 0 || added != refused {
		t.Fatalf("%d tasks were added, and the late writes of %d refused", added, refused)
	}
}
