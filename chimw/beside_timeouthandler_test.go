package chimw_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

const (
	bhOwnRoute = "7 /late/{id} /late/{id}" // parameter, pattern and Info.Route
	bhNoRoute  = "  "
)

// bhTimeoutPlace is a place of http.TimeoutHandler, and of what takes too long, among the
// middleware of /late/{id}.
type bhTimeoutPlace struct {
	name   string
	router func(timeout, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux
	around bool   // TimeoutHandler is around the router
	want   string // what the task knows of its request
	orNone bool   // or nothing: see below
}

var bhCompress = middleware.Compress(5)

var bhTimeoutPlaces = []bhTimeoutPlace{
	{"around the router", func(_, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, []bhHTTPMiddleware{ours}, tooLong)
	}, true, bhOwnRoute, false},
	{"around the router and a slow middleware", func(_, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, []bhHTTPMiddleware{tooLong, ours})
	}, true, bhOwnRoute, false},
	{"around the router and compression", func(_, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, []bhHTTPMiddleware{bhCompress, ours}, tooLong)
	}, true, bhOwnRoute, false},
	{"inside the router", func(timeout, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, nil, timeout, ours, tooLong)
	}, false, bhOwnRoute, false},
	{"inside the router and around compression", func(timeout, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, nil, timeout, bhCompress, ours, tooLong)
	}, false, bhOwnRoute, false},
	// The route context that ours finds may be another request's by then, and is not used if it is.
	{"inside the router and around a slow middleware", func(timeout, tooLong, ours bhHTTPMiddleware, late http.HandlerFunc) *chi.Mux {
		return bhLate(late, nil, timeout, tooLong, ours)
	}, false, bhOwnRoute, true},
}

// bhLate is a router with two routes, of which /late/{id} has middleware of its own.
func bhLate(late http.HandlerFunc, all []bhHTTPMiddleware, own ...bhHTTPMiddleware) *chi.Mux {
	r := chi.NewRouter()
	r.Use(all...)
	r.With(own...).Get("/late/{id}", late)
	r.Get("/other/{other}", func(w http.ResponseWriter, r *http.Request) {
		render.PlainText(w, r, chi.URLParam(r, "other"))
	})
	return r
}

// bhTooLong lets the deadline of a request to /late pass, and waits.
func bhTooLong(release <-chan struct{}) bhHTTPMiddleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/late/") {
				bhExpire(r)
				<-release
			}
			next.ServeHTTP(w, r)
		})
	}
}

// bhTellRoute is a task that tells what it knows of its request.
func bhTellRoute(r *http.Request, tell chan<- string) bgtasks.Func {
	return func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		tell <- chi.URLParam(r, "id") + " " + chi.RouteContext(ctx).RoutePattern() + " " + info.Route
		return nil
	}
}

// By the time the handler comes to add its task, the response has been sent, the
// connection has been idle, and other requests have been served.
func TestHandlerThatOutlivesItsTimeoutStillHasItsTaskRun(t *testing.T) {
	for _, place := range bhTimeoutPlaces {
		t.Run(place.name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				run, _ := bhRunner(bgtasks.Config{SendTimeout: -1})
				release, ran := make(chan struct{}), make(chan string, 1)
				timeout := bhExpiring(bhTimeoutHandler)
				router := place.router(timeout, bhTooLong(release), chimw.BackgroundTasks(run), func(_ http.ResponseWriter, r *http.Request) {
					bhAdd(t, r.Context(), "late", bhTellRoute(r, ran))
				})
				var h http.Handler = router
				if place.around {
					h = timeout(router)
				}
				s := servertest.Start(t, p, h)
				res, _ := bhGet(t, s, "/late/7")
				assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
				for range 10 {
					_, other := bhGet(t, s, "/other/8")
					assert.Equal(t, "8", other)
				}
				close(release)
				knows := bhReceive(t, ran, "the task")
				if !place.orNone || knows != bhNoRoute {
					assert.Equal(t, place.want, knows)
				}
			})
		})
	}
}

func TestTaskAddedBeforeRoutingKnowsItsRouteUnderATimeoutHandler(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"in time":  noContent,
		"too late": func(_ http.ResponseWriter, r *http.Request) { <-bhExpire(r).answered },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				site, ran := bhNewSite(bgtasks.Config{SendTimeout: -1}), make(chan string, 1)
				site.Use(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						bhAdd(t, r.Context(), "early", bhTellRoute(r, ran))
						next.ServeHTTP(w, r)
					})
				})
				site.Get("/late/{id}", handler)
				bhGet(t, servertest.Start(t, p, bhExpiring(bhTimeoutHandler)(site)), "/late/7")
				assert.Equal(t, bhOwnRoute, bhReceive(t, ran, "the task"))
			})
		})
	}
}
