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
	"github.com/stretchr/testify/assert"
)

// bhSpan stands for what a tracer keeps in a context.
type bhSpan struct {
	name  string
	ended chan struct{}
}

type bhSpanKey struct{}

func bhBegin(ctx context.Context, name string) (context.Context, *bhSpan) {
	span := &bhSpan{name: name, ended: make(chan struct{})}
	return context.WithValue(ctx, bhSpanKey{}, span), span
}

func bhSpanOf(ctx context.Context) *bhSpan { return ctx.Value(bhSpanKey{}).(*bhSpan) }

// The middleware that measures is outside: it would count the task if the middleware
// ran it before it returned.
func TestRequestLatencyDoesNotIncludeTaskTime(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{})
		measured := make(chan struct{})
		r := chi.NewRouter()
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(measured)
				next.ServeHTTP(w, r)
			})
		}, chimw.BackgroundTasks(run))
		r.Get("/", bhAdding(t, "as long as the measurement", bhUntil(measured)))
		bhGet(t, servertest.Start(t, p, r), "/")
		bhWait(t, run)
		assert.EqualValues(t, 1, run.Stats().Succeeded)
	})
}

func TestTaskHasASpanOfItsOwnAfterTheRequestsSpan(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{})
		seen := make(chan *bhSpan, 1)
		run.Use(func(next bgtasks.Func) bgtasks.Func {
			return func(ctx context.Context) error {
				info, _ := bgtasks.InfoFrom(ctx)
				assert.Equal(t, "GET /{id}", bhSpanOf(ctx).name, "the parent is the request's")
				bhReceive(t, bhSpanOf(ctx).ended, "the end of the request's span")
				ctx, span := bhBegin(ctx, info.Name)
				defer close(span.ended)
				return next(ctx)
			}
		})
		r := chi.NewRouter()
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, span := bhBegin(r.Context(), "GET /{id}")
				defer close(span.ended)
				next.ServeHTTP(w, r.WithContext(ctx))
			})
		}, chimw.BackgroundTasks(run))
		r.Get("/{id}", bhAdding(t, "send mail", func(ctx context.Context) error {
			seen <- bhSpanOf(ctx)
			return nil
		}))
		bhGet(t, servertest.Start(t, p, r), "/7")
		span := bhReceive(t, seen, "the task's span")
		assert.Equal(t, "send mail", span.name)
		bhWait(t, run)
		bhReceive(t, span.ended, "the end of the task's span")
	})
}

func TestTestsCanWaitForTheTasks(t *testing.T) {
	site, sent := bhNewSite(bgtasks.Config{}), []string{} // no lock: Wait is a barrier
	site.Post("/", bhAdding(t, "send mail", func(context.Context) error {
		sent = append(sent, "mail")
		return nil
	}))
	rec := httptest.NewRecorder()
	site.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
	assert.Equal(t, "ok", rec.Body.String())
	bhWait(t, site.run)
	assert.Equal(t, []string{"mail"}, sent)
}
