package chimw_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTasksRunHoweverTheResponseEnds(t *testing.T) {
	endings := map[string]http.HandlerFunc{
		"/success":  func(w http.ResponseWriter, r *http.Request) { render.PlainText(w, r, "ok") },
		"/thrown":   func(http.ResponseWriter, *http.Request) { panic("thrown") },
		"/redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/success", http.StatusSeeOther) },
		"/aborted": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("the first half"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		then := func(end http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "after", steps.task(r.URL.Path, nil))
				end(w, r)
			}
		}
		for path, end := range endings {
			site.Get(path, then(end))
		}
		site.NotFound(then(http.NotFound))
		s := servertest.Start(t, p, site)
		paths := []string{"/success", "/thrown", "/redirect", "/no such route", "/aborted"}
		for _, path := range paths {
			s.Client.CloseIdleConnections() // a client tries again where a kept connection fails
			_, _, _ = s.Get(t.Context(), path)
			bhWait(t, site.run)
		}
		assert.Equal(t, paths, steps.all())
	})
}

func TestNothingRunsWhileTheBodyStreams(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		var started atomic.Bool
		more := make(chan struct{})
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "after the stream", func(context.Context) error {
				started.Store(true)
				return nil
			})
			for range 5 {
				_, _ = io.WriteString(w, "chunk")
				_ = http.NewResponseController(w).Flush()
				<-more
			}
		})
		s := servertest.Start(t, p, site)
		res, err := s.Client.Get(s.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		for range 5 {
			chunk := make([]byte, len("chunk"))
			_, err := io.ReadFull(res.Body, chunk)
			require.NoError(t, err)
			assert.False(t, started.Load())
			more <- struct{}{}
		}
		assert.Empty(t, bhBody(t, res))
		bhWait(t, site.run)
		assert.True(t, started.Load())
	})
}

func TestAllRunThoughSeveralFailAndEachFailureIsReported(t *testing.T) {
	site, failures := bhNewSite(bgtasks.Config{}), make(chan string, 3)
	site.run.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Finished {
			failures <- fmt.Sprint(e.Info.Name, ": ", e.Err)
		}
	})
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"one", "two", "three"} {
			bhAdd(t, r.Context(), name, func(context.Context) error { return errors.New(name + " failed") })
		}
		render.PlainText(w, r, "ok")
	})
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	bhWait(t, site.run)
	for _, name := range []string{"one", "two", "three"} {
		assert.Contains(t, bhReceive(t, failures, name), name+" failed")
		assert.Len(t, site.log.with(slog.LevelError, name+" failed"), 1)
	}
}

func TestWithoutMiddlewareAddFailsLoudlyAtTheCall(t *testing.T) {
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		err := bgtasks.Add(r.Context(), "never", func(context.Context) error { return nil })
		assert.ErrorIs(t, err, bgtasks.ErrNoList)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	})
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusInternalServerError, rec.Code)
	assert.Contains(t, rec.Body.String(), "chimw.BackgroundTasks", "it names what is missing")
}

func TestValuesAreThoseAtTheTimeOfTheCall(t *testing.T) {
	type key struct{}
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			counter, ctx := 0, r.Context()
			for range 3 {
				counter++
				ctx = context.WithValue(ctx, key{}, counter*10)
				bhAdd(t, ctx, "tell", bgtasks.Bind(func(ctx context.Context, bound int) error {
					steps.note(fmt.Sprint(bound, " ", ctx.Value(key{})))
					return nil
				}, counter))
			}
			counter, ctx = 99, context.WithValue(ctx, key{}, 990)
			render.PlainText(w, r, fmt.Sprint(counter, ctx.Value(key{})))
		})
		bhGet(t, servertest.Start(t, p, site), "/")
		bhWait(t, site.run)
		assert.Equal(t, []string{"1 10", "2 20", "3 30"}, steps.all())
	})
}

func TestLogNamesTaskAndRouteOfAFailure(t *testing.T) {
	var out bytes.Buffer
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	site := bhSiteOf(run)
	site.Get("/items/{id}", bhAdding(t, "send mail", func(context.Context) error { return errors.New("refused") }))
	site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/items/7", nil))
	bhWait(t, run)
	for _, part := range []string{"level=ERROR", "send mail", "/items/{id}", "GET", "refused"} {
		assert.Contains(t, out.String(), part)
	}
}
