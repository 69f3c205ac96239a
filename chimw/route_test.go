package chimw_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// The copy of chi's route context that a task sees is made field by field: a field that a
// later version of chi adds has to be added to it.
func TestRouteContextHasNoFieldsThatAreNotCopied(t *testing.T) {
	var exported []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[chi.Context]()) {
		if f.IsExported() {
			exported = append(exported, f.Name)
		}
	}
	assert.Equal(t, []string{"Routes", "RoutePath", "RouteMethod", "URLParams", "RoutePatterns"}, exported)
}

func TestTaskSeesAllOfItsRouteContext(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	var atAdd, inTask *chi.Context
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Route("/shops/{shop}", func(r chi.Router) {
		r.Get("/orders/{id}/items/{item}", func(_ http.ResponseWriter, r *http.Request) {
			atAdd = chi.RouteContext(r.Context()).Clone()
			assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
				inTask = chi.RouteContext(ctx)
				assert.Same(t, inTask, chi.RouteContext(r.Context()))
				return nil
			}))
		})
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/shops/a/orders/7/items/x", nil))
	require.NoError(t, run.Wait(t.Context()))
	assert.Equal(t, atAdd.URLParams, inTask.URLParams)
	assert.Equal(t, atAdd.RoutePatterns, inTask.RoutePatterns)
	assert.Equal(t, atAdd.RoutePattern(), inTask.RoutePattern())
	assert.Equal(t, []any{atAdd.Routes, atAdd.RoutePath, atAdd.RouteMethod}, []any{inTask.Routes, inTask.RoutePath, inTask.RouteMethod})
	inTask.URLParams.Add("more", "value")
	inTask.RoutePatterns = append(inTask.RoutePatterns, "/more")
	assert.Equal(t, "a", inTask.URLParam("shop"))
	assert.Equal(t, "value", inTask.URLParam("more"))
}
