package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

func TestAfterResponseTellsTheWholeRouteAlsoWhereATaskWasAddedOnTheWay(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "count", func(context.Context) error { return nil }))
			next.ServeHTTP(w, r)
		})
	})
	r.Route("/orders", func(r chi.Router) {
		r.Post("/{id}", func(_ http.ResponseWriter, r *http.Request) {
			about, ok := bgtasks.AfterResponse(r.Context(), func(bgtasks.Outcome) {})
			assert.True(t, ok)
			assert.Equal(t, "/orders/{id}", about.Route)
		})
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/orders/7", nil))
	assert.NoError(t, run.Wait(t.Context()))
}
