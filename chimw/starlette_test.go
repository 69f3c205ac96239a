package chimw_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBodyArrivesIntactBeforeTheOnlyTaskEnds(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		arrived := make(chan struct{})
		want := strings.Repeat("every byte of it ", 20_000)
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "only", bhUntil(arrived))
			render.PlainText(w, r, want)
		})
		res, body := bhGet(t, servertest.Start(t, p, site), "/")
		close(arrived)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Equal(t, want, body)
		bhWait(t, site.run)
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

func TestManyTasksRunInTheOrderInWhichTheyWereAdded(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		var want []string
		for i := range 20 {
			want = append(want, strconv.Itoa(i))
		}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			for _, name := range want {
				bhAdd(t, r.Context(), name, steps.task(name, nil))
			}
			render.PlainText(w, r, "ok")
		})
		_, body := bhGet(t, servertest.Start(t, p, site), "/")
		assert.Equal(t, "ok", body)
		bhWait(t, site.run)
		assert.Equal(t, want, steps.all())
	})
}

func TestConcurrentRequestsGetTheirBodiesBeforeEitherTaskEnds(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		bothArrived, meet := make(chan struct{}), make(chan struct{})
		site.Get("/{side}", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "wait for both", bhUntil(bothArrived))
			select { // so that both are under way at once
			case meet <- struct{}{}:
			case <-meet:
			}
			render.PlainText(w, r, r.URL.Path)
		})
		s := servertest.Start(t, p, site)
		bodies := make(chan string, 2)
		for _, path := range []string{"/left", "/right"} {
			go func() {
				_, body, err := s.Get(t.Context(), path)
				assert.NoError(t, err)
				bodies <- string(body)
			}()
		}
		got := []string{bhReceive(t, bodies, "a body"), bhReceive(t, bodies, "the other body")}
		assert.ElementsMatch(t, []string{"/left", "/right"}, got)
		assert.Zero(t, site.run.Stats().Succeeded)
		close(bothArrived)
		bhWait(t, site.run)
		assert.EqualValues(t, 2, site.run.Stats().Succeeded)
	})
}

func TestTenMiddlewareDeepEachAddsATaskThatRunsOnce(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		var want []string
		for i := range 10 {
			name := "middleware " + strconv.Itoa(i)
			want = append(want, name)
			site.Use(bhTaskAdder(t, name, steps.task(name, nil)))
		}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "ok") })
		_, body := bhGet(t, servertest.Start(t, p, site), "/")
		assert.Equal(t, "ok", body)
		bhWait(t, site.run)
		assert.Equal(t, want, steps.all())
	})
}

// bhTaskAdder is a middleware that adds a task, and copies the request as most do.
func bhTaskAdder(t testing.TB, name string, fn bgtasks.Func) func(http.Handler) http.Handler {
	type key struct{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), name, fn)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, name)))
		})
	}
}

func TestMiddlewareFurtherInAndHandlerAddToOneList(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		infos := make(chan bgtasks.Info, 2)
		tell := func(ctx context.Context) error {
			info, ok := bgtasks.InfoFrom(ctx)
			assert.True(t, ok)
			infos <- info
			return nil
		}
		site.Use(bhTaskAdder(t, "dependency", tell))
		site.Get("/", bhAdding(t, "handler", tell))
		bhGet(t, servertest.Start(t, p, site), "/")
		first, second := bhReceive(t, infos, "the first task"), bhReceive(t, infos, "the second task")
		assert.Equal(t, []any{"dependency", 1, "handler", 2}, []any{first.Name, first.Position, second.Name, second.Position})
		assert.Equal(t, first.ID, second.ID)
	})
}

func TestFailureAfterA204LeavesTheStatusAndIsSeenAsItIs(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		lost := errors.New("the mail server is lost")
		seen := make(chan error, 1)
		site.run.Observe(func(e bgtasks.Event) {
			if e.Kind == bgtasks.Finished {
				seen <- e.Err
			}
		})
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "fails", func(context.Context) error { return lost })
			render.NoContent(w, r)
		})
		res, body := bhGet(t, servertest.Start(t, p, site), "/")
		assert.Equal(t, http.StatusNoContent, res.StatusCode)
		assert.Empty(t, body)
		bhWait(t, site.run)
		assert.ErrorIs(t, bhReceive(t, seen, "the event"), lost)
		assert.Len(t, site.log.with(slog.LevelError, lost.Error()), 1)
	})
}

func TestFailedTaskDoesNotSkipTheRest(t *testing.T) {
	steps := bhAfterAFailure(t, bgtasks.Config{})
	assert.Equal(t, []string{"before", "fails", "after"}, steps)
}

func TestFailedTaskSkipsTheRestWhereThatIsSet(t *testing.T) {
	steps := bhAfterAFailure(t, bgtasks.Config{StopOnError: true})
	assert.Equal(t, []string{"before", "fails"}, steps)
}

func bhAfterAFailure(t *testing.T, cfg bgtasks.Config) []string {
	site, steps := bhNewSite(cfg), &bhSteps{}
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "before", steps.task("before", nil))
		bhAdd(t, r.Context(), "fails", steps.task("fails", errors.New("no")))
		bhAdd(t, r.Context(), "after", steps.task("after", nil))
		render.PlainText(w, r, "ok")
	})
	res, _ := bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	require.Equal(t, http.StatusOK, res.StatusCode)
	bhWait(t, site.run)
	return steps.all()
}

func TestCleanupAddedBeforeAFailureRuns(t *testing.T) {
	failures := map[string]http.HandlerFunc{
		"answers an error": func(w http.ResponseWriter, r *http.Request) {
			render.Status(r, http.StatusInternalServerError)
			render.PlainText(w, r, "sorry")
		},
		"panics": func(http.ResponseWriter, *http.Request) { panic("no way on") },
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				site := bhNewSite(bgtasks.Config{})
				site.Get("/", func(w http.ResponseWriter, r *http.Request) {
					bhAdd(t, r.Context(), "clean up", func(context.Context) error { return nil })
					fail(w, r)
				})
				_, _, _ = servertest.Start(t, p, site).Get(t.Context(), "/")
				bhWait(t, site.run)
				assert.EqualValues(t, 1, site.run.Stats().Succeeded)
			})
		})
	}
}
