package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The route context that is in the handler's context is chi's here, as there is middleware
// between ours and the router, and another request's by the time of the refusal.
func TestAddRefusedAfterTheHandlerSaysNothingOfOtherRequests(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, log := bhRunner(bgtasks.Config{})
		refusals := make(chan bgtasks.Info, 1)
		run.Observe(func(e bgtasks.Event) {
			if e.Kind == bgtasks.Refused {
				refusals <- e.Info
			}
		})
		release := make(chan struct{})
		r := chi.NewRouter()
		r.Get("/late/{id}", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "in time", bhUntil(refusedOnce(release, r.Context())))
			render.PlainText(w, r, "ok")
		})
		r.Get("/other/{id}", func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "ok") })
		s := servertest.Start(t, p, chimw.BackgroundTasks(run)(withTenant(r)))
		bhGet(t, s, "/late/7")
		for range 10 {
			bhGet(t, s, "/other/8")
		}
		close(release)
		info := bhReceive(t, refusals, "the refusal")
		assert.Equal(t, "late", info.Name)
		assert.NotContains(t, info.Route, "/other")
		bhWait(t, run)
		lines := log.with(slog.LevelError, "task=late")
		require.Len(t, lines, 1)
		assert.NotContains(t, lines[0], "/other")
	})
}

// refusedOnce has a task added once release is closed, and closes what it returns after that.
func refusedOnce(release <-chan struct{}, ctx context.Context) <-chan struct{} {
	refused := make(chan struct{})
	go func() {
		defer close(refused)
		<-release
		_ = bgtasks.Add(ctx, "late", func(context.Context) error { return nil })
	}()
	return refused
}

// The request ID is set further in than the middleware, where only the task's context has it.
func TestRefusalOfATasksOwnAddIsLoggedWithItsRequest(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{MaxPending: 1})
		site.Use(middleware.RequestID)
		site.Get("/items/{id}", bhAdding(t, "task", func(ctx context.Context) error {
			assert.ErrorIs(t, bgtasks.Add(ctx, "nested", bhUntil(nil)), bgtasks.ErrFull)
			return nil
		}))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, servertest.Start(t, p, site).URL+"/items/7", nil)
		require.NoError(t, err)
		req.Header.Set(middleware.RequestIDHeader, "id-7")
		res, err := p.Client(t).Do(req)
		require.NoError(t, err)
		assert.Equal(t, "ok", bhBody(t, res))
		bhWait(t, site.run)
		lines := site.log.with(slog.LevelError, "task=nested")
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0], "request_id=id-7")
		assert.Contains(t, lines[0], "route=/items/{id}")
	})
}
