package chimw_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

func noContent(w http.ResponseWriter, r *http.Request) { render.NoContent(w, r) }

func TestTaskAddedBeforeRoutingSeesTheRouteThatWasFound(t *testing.T) {
	n := sized(400, 80)
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			probe, run := &identityProbe{captured: true}, silentRunner()
			early := func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					assert.NoError(t, probe.add(r))
					next.ServeHTTP(w, r)
				})
			}
			r := chi.NewRouter()
			r.Use(middleware.RequestID, chimw.BackgroundTasks(run), withTenant, early)
			r.Mount("/shops/{shop}", single("/orders/{order}", noContent))
			s := servertest.Start(t, p, r)
			identifyAll(t, s, n, http.StatusNoContent)
			awaitIdle(t, run)
			probe.assertNoneWrong(t, n)
		})
	}
}

// routeAfterNext compares the route that a middleware sees when next has returned.
func routeAfterNext(seen *mixUp) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i, _ := strconv.Atoi(r.Header.Get("X-Number"))
			want := identityOf(i)
			next.ServeHTTP(w, r)
			got := identityIn(r.Context())
			seen.compare("the outer middleware's context",
				identity{Shop: want.Shop, Order: want.Order, Route: want.Route},
				identity{Shop: got.Shop, Order: got.Order, Route: got.Route})
		})
	}
}

// withRouteContext gives the router a route context from outside, as tracing middleware does
// that wants to see the pattern.
func withRouteContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), chi.RouteCtxKey, chi.NewRouteContext())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func TestOuterMiddlewareSeesTheRouteAfterNext(t *testing.T) {
	handlers := map[string]func(*identityProbe) http.HandlerFunc{
		"with a task":    func(p *identityProbe) http.HandlerFunc { return p.handler },
		"without a task": func(*identityProbe) http.HandlerFunc { return noContent },
	}
	routers := map[string]func(outer, tasks wrapper, order http.HandlerFunc) http.Handler{
		"in the router": func(outer, tasks wrapper, order http.HandlerFunc) http.Handler {
			r := chi.NewRouter()
			r.Use(outer, middleware.RequestID, tasks, withTenant)
			r.Mount("/shops/{shop}", single("/orders/{order}", order))
			return r
		},
		"around the router": func(outer, tasks wrapper, order http.HandlerFunc) http.Handler {
			r := chi.NewRouter()
			r.Use(middleware.RequestID, withTenant)
			r.Mount("/shops/{shop}", single("/orders/{order}", order))
			return withRouteContext(outer(tasks(r)))
		},
		"on the subrouter": func(outer, tasks wrapper, order http.HandlerFunc) http.Handler {
			r := chi.NewRouter()
			r.Use(outer, middleware.RequestID, withTenant)
			r.Mount("/shops/{shop}", single("/orders/{order}", order, tasks))
			return r
		},
	}
	n := sized(200, 50)
	for where, router := range routers {
		for what, handler := range handlers {
			t.Run(where+" "+what, func(t *testing.T) {
				t.Parallel()
				probe, run, seen := &identityProbe{captured: true}, silentRunner(), &mixUp{}
				s := servertest.Start(t, servertest.HTTP1,
					router(routeAfterNext(seen), chimw.BackgroundTasks(run), handler(probe)))
				spread(8, n, func(i int) {
					_, err := identify(s, i)
					assert.NoError(t, err)
				})
				awaitIdle(t, run)
				assert.Equal(t, n, seen.readings)
				assert.Zero(t, seen.wrong, seen.example)
				assert.Zero(t, probe.wrong, probe.example)
			})
		}
	}
}
