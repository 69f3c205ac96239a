package chimw_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timeoutPlacements are the places that http.TimeoutHandler can have, which runs what is in it
// in a goroutine of its own and may return before that does.
var timeoutPlacements = []struct {
	name     string
	captured bool
	router   func(timeout, tasks wrapper, order http.HandlerFunc) http.Handler
}{
	{"between the tasks and the router", false, func(timeout, tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, withTenant)
		r.Mount("/shops/{shop}", single("/orders/{order}", order))
		return tasks(timeout(r))
	}},
	{"between the router and the tasks", true, func(timeout, tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID)
		r.Mount("/shops/{shop}", single("/orders/{order}", func(w http.ResponseWriter, r *http.Request) {
			timeout(tasks(withTenant(order))).ServeHTTP(w, r)
		}))
		return r
	}},
	{"inside the tasks", true, func(timeout, tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID)
		r.Mount("/shops/{shop}", single("/orders/{order}", order, tasks, timeout, withTenant))
		return r
	}},
	{"around everything", true, func(timeout, tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, tasks, withTenant)
		r.Mount("/shops/{shop}", single("/orders/{order}", order))
		return timeout(r)
	}},
}

// An expiry is a deadline that passes when it is told to. By the clock, a handler on a busy
// machine could begin after its time, when its route context is another request's already:
// that races in chi itself.
type expiry struct {
	context.Context
	passed   chan struct{}
	returned chan struct{} // http.TimeoutHandler has
}

type expiryKey struct{}

func (e *expiry) Done() <-chan struct{} { return e.passed }

func (e *expiry) Err() error {
	select {
	case <-e.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (e *expiry) Value(key any) any {
	if key == (expiryKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// timeoutOnDemand is http.TimeoutHandler, with an expiry for a clock.
func timeoutOnDemand(next http.Handler) http.Handler {
	limited := http.TimeoutHandler(next, time.Hour, "too late")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &expiry{r.Context(), make(chan struct{}), make(chan struct{})}
		defer close(e.returned)
		limited.ServeHTTP(w, r.WithContext(e))
	})
}

// outliveTimeout adds its task in time, and returns after http.TimeoutHandler has answered.
func outliveTimeout(probe *identityProbe) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		probe.handler(w, r)
		e := r.Context().Value(expiryKey{}).(*expiry)
		close(e.passed)
		<-e.returned
	}
}

func TestTaskReadsItsOwnRequestWithTimeoutHandler(t *testing.T) {
	n := sized(200, 24)
	for _, place := range timeoutPlacements {
		for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
			test := func(name string, status int, handler func(*identityProbe) http.HandlerFunc) {
				t.Run(place.name+" "+name+" "+p.Name, func(t *testing.T) {
					t.Parallel()
					probe, run := &identityProbe{captured: place.captured}, silentRunner()
					router := place.router(timeoutOnDemand, chimw.BackgroundTasks(run), handler(probe))
					identifyAll(t, servertest.Start(t, p, router), n, status)
					awaitIdle(t, run)
					probe.assertNoneWrong(t, n)
				})
			}
			test("in time", http.StatusOK, func(probe *identityProbe) http.HandlerFunc { return probe.handler })
			test("too late", http.StatusServiceUnavailable, outliveTimeout)
		}
	}
}

// A request that is late already when it comes to the middleware has been routed all the same.
func TestRequestThatIsLateBeforeTheMiddlewareKeepsItsParameters(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
		for name, ours := range map[string]func(chi.Router, *bgtasks.Runner, http.HandlerFunc){
			"by With": func(r chi.Router, run *bgtasks.Runner, h http.HandlerFunc) {
				r.With(chimw.BackgroundTasks(run)).Get("/shops/{shop}/orders/{id}", h)
			},
			"in a subrouter": func(r chi.Router, run *bgtasks.Runner, h http.HandlerFunc) {
				r.Route("/shops/{shop}", func(r chi.Router) {
					r.Use(chimw.BackgroundTasks(run))
					r.Get("/orders/{id}", h)
				})
			},
		} {
			t.Run(name+" "+p.Name, func(t *testing.T) {
				run, seen := silentRunner(), make(chan string, 2)
				r := chi.NewRouter()
				r.Use(outlivesItsTime)
				ours(r, run, func(_ http.ResponseWriter, r *http.Request) {
					seen <- chi.URLParam(r, "shop") + " " + chi.URLParam(r, "id")
					assert.NoError(t, bgtasks.Add(r.Context(), "look", func(ctx context.Context) error {
						info, _ := bgtasks.InfoFrom(ctx)
						seen <- chi.URLParamFromCtx(ctx, "id") + " " + info.Route
						return nil
					}))
				})
				res, _, err := servertest.Start(t, p, timeoutOnDemand(r)).Get(t.Context(), "/shops/a/orders/7")
				require.NoError(t, err)
				assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
				assert.Equal(t, "a 7", bhReceive(t, seen, "the handler"))
				assert.Equal(t, "7 /shops/{shop}/orders/{id}", bhReceive(t, seen, "the task"))
				awaitIdle(t, run)
			})
		}
	}
}

// outlivesItsTime is a middleware that is still at work when http.TimeoutHandler answers.
func outlivesItsTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := r.Context().Value(expiryKey{}).(*expiry)
		close(e.passed)
		<-e.returned
		next.ServeHTTP(w, r)
	})
}

// A writer that hides what it wraps may be http.TimeoutHandler's, or not.
func TestRequestThatIsLateKeepsItsParametersUnderAWriterThatHidesWhatItWraps(t *testing.T) {
	run, id := silentRunner(), ""
	r := chi.NewRouter()
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
			cancel()
			next.ServeHTTP(struct{ http.ResponseWriter }{w}, r.WithContext(ctx))
		})
	})
	r.With(chimw.BackgroundTasks(run)).Get("/orders/{id}", func(_ http.ResponseWriter, r *http.Request) { id = chi.URLParam(r, "id") })
	_, _, err := servertest.Start(t, servertest.HTTP1, r).Get(t.Context(), "/orders/7")
	require.NoError(t, err)
	assert.Equal(t, "7", id)
}
