package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
)

// What an inspector costs a task, mounted or not, and while it is watched by four streams:
// ns/task is that of a request with ten tasks, divided.
func BenchmarkInspector(b *testing.B) {
	const tasks = 10
	for _, c := range []struct {
		name    string
		mounted bool
		streams int
	}{{"unmounted", false, 0}, {"mounted", true, 0}, {"watched", true, 4}} {
		b.Run(c.name, func(b *testing.B) {
			run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
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
				for range tasks {
					_ = bgtasks.Add(r.Context(), "mail", nothing)
				}
			})
			w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			b.ReportAllocs()
			for b.Loop() {
				r.ServeHTTP(w, req)
				if err := run.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/tasks, "ns/task")
		})
	}
}
