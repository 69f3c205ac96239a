package chimw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

func TestTaskQueuedInsideATaskRunsLast(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "first", func(ctx context.Context) error {
				steps.note("first")
				bhAdd(t, ctx, "queued inside", steps.task("queued inside", nil))
				return nil
			})
			bhAdd(t, r.Context(), "second", steps.task("second", nil))
			render.PlainText(w, r, "ok")
		})
		bhGet(t, servertest.Start(t, p, site), "/")
		bhWait(t, site.run)
		assert.Equal(t, []string{"first", "second", "queued inside"}, steps.all())
	})
}

func TestPendingTaskIsTakenBackByName(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{"mail", "audit", "mail"} {
				bhAdd(t, r.Context(), name, steps.task(name, nil))
			}
			assert.Equal(t, 2, bgtasks.Forget(r.Context(), "mail"))
			assert.Zero(t, bgtasks.Forget(r.Context(), "mail"), "they are gone already")
			render.PlainText(w, r, "ok")
		})
		bhGet(t, servertest.Start(t, p, site), "/")
		bhWait(t, site.run)
		assert.Equal(t, []string{"audit"}, steps.all())
		assert.EqualValues(t, 2, site.run.Stats().Forgotten)
	})
}

func TestRunningTaskIsNotTakenBack(t *testing.T) {
	site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "mail", func(ctx context.Context) error {
			assert.Zero(t, bgtasks.Forget(ctx, "mail"), "it runs already")
			assert.Equal(t, 1, bgtasks.Forget(ctx, "audit"))
			steps.note("mail")
			return ctx.Err()
		})
		bhAdd(t, r.Context(), "audit", steps.task("audit", nil))
		render.PlainText(w, r, "ok")
	})
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	bhWait(t, site.run)
	assert.Equal(t, []string{"mail"}, steps.all())
	assert.EqualValues(t, 1, site.run.Stats().Succeeded)
}

func TestTasksRunAfterEveryResponseUnlessRestrictedToSuccessfulOnes(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		answer := func(status int) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "always", steps.task(r.URL.Path+" always", nil))
				bhAdd(t, r.Context(), "restricted", steps.task(r.URL.Path+" restricted", nil), bgtasks.When(bgtasks.Outcome.OK))
				render.Status(r, status)
				render.PlainText(w, r, "answer")
			}
		}
		site.Get("/created", answer(http.StatusCreated))
		site.Get("/invalid", answer(http.StatusBadRequest))
		s := servertest.Start(t, p, site)
		for _, path := range []string{"/created", "/invalid"} {
			bhGet(t, s, path)
			bhWait(t, site.run)
		}
		assert.Equal(t, []string{"/created always", "/created restricted", "/invalid always"}, steps.all())
		assert.EqualValues(t, 1, site.run.Stats().Skipped)
	})
}
