package chimw

import (
	"slices"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
)

// A routeCopy is what chi's route context said when it was made. Most tasks never ask, so it is
// kept in one small allocation, where (*chi.Context).Clone takes up to seven, and becomes a
// route context only when somebody asks. All that can be read or set from outside package chi
// is in it.
type routeCopy struct {
	routes   chi.Routes
	context  atomic.Pointer[chi.Context]
	pattern  atomic.Pointer[string]
	keys     int32
	patterns int32
	texts    []string // path, method, keys, values, patterns
	few      [5]string
}

func copyRoute(c *chi.Context) *routeCopy {
	p := &c.URLParams
	r := &routeCopy{routes: c.Routes, keys: int32(len(p.Keys)), patterns: int32(len(c.RoutePatterns))}
	r.texts = append(r.few[:0], c.RoutePath, c.RouteMethod)
	r.texts = append(append(append(r.texts, p.Keys...), p.Values...), c.RoutePatterns...)
	return r
}

// of reports whether c says the same still: routing only ever adds to it.
func (r *routeCopy) of(c *chi.Context) bool {
	return int(r.patterns) == len(c.RoutePatterns) && int(r.keys) == len(c.URLParams.Keys)
}

// get returns the route context, the same one each time.
func (r *routeCopy) get() *chi.Context {
	if c := r.context.Load(); c != nil {
		return c
	}
	r.context.CompareAndSwap(nil, r.build())
	return r.context.Load()
}

// routePattern is (*chi.Context).RoutePattern, put together once: every event and log line about
// a task has it.
func (r *routeCopy) routePattern() string {
	if made := r.pattern.Load(); made != nil {
		return *made
	}
	made := r.get().RoutePattern()
	r.pattern.Store(&made)
	return made
}

func (r *routeCopy) build() *chi.Context {
	c := chi.NewRouteContext()
	c.Routes, c.RoutePath, c.RouteMethod = r.routes, r.texts[0], r.texts[1]
	values, patterns := 2+int(r.keys), len(r.texts)-int(r.patterns)
	// Appending to one of them must not change the next.
	c.URLParams.Keys = r.texts[2:values:values]
	c.URLParams.Values = r.texts[values:patterns:patterns]
	c.RoutePatterns = slices.Clip(r.texts[patterns:])
	return c
}
