package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

func TestInstalledTwiceWithOneRunnerThereIsOneList(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, infos := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Info, 2)
		tell := func(ctx context.Context) error {
			info, _ := bgtasks.InfoFrom(ctx)
			infos <- info
			return nil
		}
		site.Use(bhTaskAdder(t, "outer", tell))
		site.Route("/sub", func(r chi.Router) {
			r.Use(chimw.BackgroundTasks(site.run))
			r.Get("/{id}", bhAdding(t, "inner", tell))
		})
		_, body := bhGet(t, servertest.Start(t, p, site), "/sub/7")
		assert.Equal(t, "ok", body)
		outer, inner := bhReceive(t, infos, "the outer task"), bhReceive(t, infos, "the inner task")
		assert.Equal(t, outer.ID, inner.ID)
		assert.Equal(t, []int{1, 2}, []int{outer.Position, inner.Position})
		bhWait(t, site.run)
		assert.EqualValues(t, 2, site.run.Stats().Accepted)
	})
}

func TestInstalledWithTwoRunnersEachRunsItsOwn(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		inner, _ := bhRunner(bgtasks.Config{})
		site.Use(bhTaskAdder(t, "outer", steps.task("outer", nil)))
		site.With(chimw.BackgroundTasks(inner)).Get("/{id}", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "inner", steps.task("inner", nil))
			render.PlainText(w, r, chi.URLParam(r, "id"))
		})
		_, body := bhGet(t, servertest.Start(t, p, site), "/7")
		assert.Equal(t, "7", body)
		bhWait(t, inner)
		bhWait(t, site.run)
		assert.ElementsMatch(t, []string{"outer", "inner"}, steps.all())
		assert.EqualValues(t, 1, inner.Stats().Succeeded, "Add finds the inner one's list")
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

// A task that serves a request itself, through the same router, gives its context to it.
func TestRequestServedInsideATaskHasAListOfItsOwn(t *testing.T) {
	site, infos := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Info, 2)
	tell := func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		infos <- info
		return nil
	}
	site.Get("/inner/{n}", bhAdding(t, "inner", tell))
	site.Get("/outer/{n}", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "outer", func(ctx context.Context) error {
			rec := httptest.NewRecorder()
			site.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/inner/2", nil))
			assert.Equal(t, "ok", rec.Body.String())
			return tell(ctx)
		})
		render.PlainText(w, r, "ok")
	})
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/outer/1")
	bhWait(t, site.run)
	inner, outer := bhReceive(t, infos, "a task"), bhReceive(t, infos, "the other task")
	if inner.Name != "inner" {
		inner, outer = outer, inner
	}
	assert.Equal(t, []any{"inner", 1, "outer", 1}, []any{inner.Name, inner.Position, outer.Name, outer.Position})
	assert.NotEqual(t, inner.ID, outer.ID)
}
