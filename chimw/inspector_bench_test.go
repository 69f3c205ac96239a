package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
)

// What an inspector costs a request with one task, mounted or not, and while it is watched by
// four streams.
func BenchmarkInspector(b *testing.B) {
	for _, c := range []struct {
		name    string
		mounted bool
		streams int
	}{{"unmounted", false, 0}, {"mounted", true, 0}, {"watched", true, 4}} {
		b.Run(c.name, func(b *testing.B) {
			run, _ := bhRunner(bgtasks.Config{MaxPending: -1})
			r := chi.NewRouter()
			if c.mounted {
				page := chimw.Inspector(run)
				r.Mount("/debug/tasks", page)
				ctx, stop := context.WithCancel(b.Context())
				defer stop()
				for range c.streams {
					go askWith(ctx, page, "/?parts", "text/event-stream")
				}
			}
			r.With(chimw.BackgroundTasks(run)).Get("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
				_ = bgtasks.Add(r.Context(), "mail", nothing)
			})
			b.ReportAllocs()
			for b.Loop() {
				r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
			}
			drained, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			if err := run.Wait(drained); err != nil {
				b.Fatal(err)
			}
		})
	}
}
