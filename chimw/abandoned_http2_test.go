package chimw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

// abandoning answers a request to /late by itself while next still runs, as home-made timeouts
// do.
func abandoning(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/late" {
			next.ServeHTTP(w, r)
			return
		}
		begun := make(chan struct{})
		go next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), begunKey{}, begun)))
		<-begun
		w.WriteHeader(http.StatusServiceUnavailable)
	})
}

type begunKey struct{}

// net/http's writer panics when a handler uses it whose stream is over. That it is over is
// certain once the server handles another request: it takes one at a time.
func TestHandlerWhoseHTTP2StreamIsOverDoesNotEndTheProcess(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP2, servertest.H2C} {
		t.Run(p.Name, func(t *testing.T) {
			run, _ := bhRunner(bgtasks.Config{SendTimeout: -1})
			over := make(chan struct{})
			r := chi.NewRouter()
			r.Get("/late", func(_ http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "late", func(context.Context) error { return nil })
				close(r.Context().Value(begunKey{}).(chan struct{}))
				<-over
			})
			r.Get("/next", func(w http.ResponseWriter, r *http.Request) {
				close(over)
				render.PlainText(w, r, "ok")
			})
			s := servertest.Start(t, p, abandoning(chimw.BackgroundTasks(run)(r)), servertest.Configure(func(srv *http.Server) {
				srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1}
			}))
			res, _ := bhGet(t, s, "/late")
			assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
			bhGet(t, s, "/next")
			bhWait(t, run)
			assert.EqualValues(t, 1, run.Stats().Succeeded)
		})
	}
}
