package chimw_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

const orderPattern = "/shops/{shop}/orders/{order}"

// An identity is everything by which a task could tell its request from another.
type identity struct{ Shop, Order, Route, RequestID, Tenant string }

// identityOf is that of request i, as its client knows it.
func identityOf(i int) identity {
	n := strconv.Itoa(i)
	return identity{"s" + n, "o" + n, orderPattern, "id-" + n, "t-" + n}
}

// identityIn is what ctx says.
func identityIn(ctx context.Context) identity {
	tenant, _ := ctx.Value(tenantKey{}).(string)
	id := identity{RequestID: middleware.GetReqID(ctx), Tenant: tenant}
	if route := chi.RouteContext(ctx); route != nil {
		id.Shop, id.Order, id.Route = route.URLParam("shop"), route.URLParam("order"), route.RoutePattern()
	}
	return id
}

type tenantKey struct{}

// withTenant is the middleware further in that sets a value.
func withTenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), tenantKey{}, r.Header.Get("X-Tenant"))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// A mixUp counts readings that were another request's.
type mixUp struct {
	mu       sync.Mutex
	readings int
	wrong    int
	example  string
}

func (m *mixUp) compare(through string, want, got identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readings++
	if got != want {
		m.wrong++
		m.example = fmt.Sprintf("through %s: %+v instead of %+v", through, got, want)
	}
}

// An identityProbe has tasks compare what they read, some time after their response, with what
// their client had sent.
type identityProbe struct {
	mixUp
	captured bool // read through the handler's *http.Request as well
}

func (p *identityProbe) handler(w http.ResponseWriter, r *http.Request) {
	if err := p.add(r); err != nil {
		render.Status(r, http.StatusServiceUnavailable)
		render.PlainText(w, r, err.Error())
		return
	}
	render.PlainText(w, r, "ok")
}

func (p *identityProbe) add(r *http.Request) error {
	i, err := strconv.Atoi(r.Header.Get("X-Number"))
	if err != nil {
		return err
	}
	return bgtasks.Add(r.Context(), "read", func(ctx context.Context) error {
		linger(time.Duration(1000+i%1000) * time.Microsecond)
		p.check(ctx, r, identityOf(i))
		return nil
	})
}

func (p *identityProbe) check(ctx context.Context, r *http.Request, want identity) {
	p.compare("the task's context", want, identityIn(ctx))
	info, _ := bgtasks.InfoFrom(ctx)
	p.compare("Info", identity{Route: want.Route, RequestID: want.RequestID},
		identity{Route: info.Route, RequestID: info.RequestID})
	if p.captured {
		p.compare("the captured request", want, identityIn(r.Context()))
		p.compare("its path values", identity{Shop: want.Shop, Order: want.Order},
			identity{Shop: r.PathValue("shop"), Order: r.PathValue("order")})
	}
}

func (p *identityProbe) assertNoneWrong(t *testing.T, tasks int) {
	t.Helper()
	readings := 2 * tasks
	if p.captured {
		readings = 4 * tasks
	}
	assert.Equal(t, readings, p.readings)
	assert.Zero(t, p.wrong, "of %d readings: %s", p.readings, p.example)
}

// identify sends request i, which carries its identity in the path and in headers.
func identify(s *servertest.Server, i int) (status int, err error) {
	id := identityOf(i)
	req, err := http.NewRequest(http.MethodGet, s.URL+"/shops/"+id.Shop+"/orders/"+id.Order, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Number", strconv.Itoa(i))
	req.Header.Set(middleware.RequestIDHeader, id.RequestID)
	req.Header.Set("X-Tenant", id.Tenant)
	res, err := s.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// identifyAll has 8 clients send n requests, each of which is to be answered with status.
func identifyAll(t *testing.T, s *servertest.Server, n, status int) {
	t.Helper()
	spread(8, n, func(i int) {
		got, err := identify(s, i)
		assert.NoError(t, err)
		assert.Equal(t, status, got)
	})
}

// A wrapper is a middleware.
type wrapper = func(http.Handler) http.Handler

// A placement is a router with the task list's middleware somewhere in it.
type placement struct {
	name     string
	captured bool // a captured request is safe, too
	router   func(tasks wrapper, order http.HandlerFunc) http.Handler
}

var placements = []placement{
	{"Use", true, func(tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, tasks, withTenant)
		r.Route("/shops/{shop}", func(r chi.Router) {
			r.Mount("/orders", single("/{order}", order))
		})
		return r
	}},
	{"With", true, func(tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID)
		r.Route("/shops/{shop}", func(r chi.Router) {
			r.With(tasks, withTenant).Get("/orders/{order}", order)
		})
		return r
	}},
	{"Group", true, func(tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID)
		r.Group(func(r chi.Router) {
			r.Use(tasks, withTenant)
			r.Mount("/shops/{shop}/orders", single("/{order}", order))
		})
		return r
	}},
	{"Mount", true, func(tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, withTenant)
		r.Mount("/shops/{shop}", single("/orders/{order}", order, tasks))
		return r
	}},
	{"AroundTheRouter", false, func(tasks wrapper, order http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, withTenant)
		r.Route("/shops/{shop}", func(r chi.Router) {
			r.Mount("/orders", single("/{order}", order))
		})
		return tasks(r)
	}},
}

// single is a subrouter with one route.
func single(pattern string, h http.HandlerFunc, mws ...wrapper) chi.Router {
	r := chi.NewRouter()
	r.Use(mws...)
	r.Get(pattern, h)
	return r
}

func silentRunner() *bgtasks.Runner {
	return bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
}

func TestTaskReadsItsOwnRequestWhateverElseTheRouterServes(t *testing.T) {
	for i, place := range placements {
		requests := sized(1000, 120) / len(servertest.Protocols)
		if i == 0 {
			requests *= 4
		}
		t.Run(place.name, func(t *testing.T) {
			for _, p := range servertest.Protocols {
				t.Run(p.Name, func(t *testing.T) {
					t.Parallel()
					probe, run := &identityProbe{captured: place.captured}, silentRunner()
					s := servertest.Start(t, p, place.router(chimw.BackgroundTasks(run), probe.handler))
					identifyAll(t, s, requests, http.StatusOK)
					awaitIdle(t, run)
					probe.assertNoneWrong(t, requests)
				})
			}
		})
	}
}
