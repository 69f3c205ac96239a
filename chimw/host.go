package chimw

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// host is the exchange's side of its list: what a task may see of a request that is over.
//
// chi takes its route context from a pool and puts it back as soon as the request has
// been served, so that a task which looks at it sees another request's URL parameters,
// through its context and through a captured *http.Request alike. So a copy is made when a
// task is added, and once the handler has returned, every context inside the middleware
// answers the copy. Until then it answers the original: routing goes on in that, and
// middleware outside reads it afterwards.
type host struct {
	x      *exchange
	parent context.Context // the request's, as it came in
	method string
	gone   bool // the client had, when the handler returned

	route *chi.Context                // chi's, or ours; nil outside a router
	ours  bool                        // route is: see around
	copy  *chi.Context                // made by Capture
	over  atomic.Pointer[chi.Context] // copy, once the handler has returned

	uploads uploads
}

var _ bgtasks.Host = (*host)(nil)

func (h *host) init(x *exchange, req *http.Request) {
	h.x, h.parent, h.method = x, req.Context(), req.Method
	h.route = chi.RouteContext(h.parent)
	h.uploads.had = req.MultipartForm
}

func (h *host) Deadline() (time.Time, bool) { return h.parent.Deadline() }
func (h *host) Done() <-chan struct{}       { return h.parent.Done() }
func (h *host) Err() error                  { return h.parent.Err() }

// Value answers for requestContext.
func (h *host) Value(key any) any {
	switch key {
	case chi.RouteCtxKey:
		if over := h.over.Load(); over != nil {
			return over
		}
		if h.ours {
			return h.route
		}
	case uploadsKey{}:
		return &h.uploads
	}
	return h.parent.Value(key)
}

// Capture makes the copy of the route context.
func (h *host) Capture(ctx context.Context) context.Context {
	route := chi.RouteContext(ctx)
	switch {
	case route == nil:
		return ctx
	case route == h.over.Load(): // the list has started while the handler was stuck
		return ctx
	case route != h.route: // a router inside the middleware has made it
		return context.WithValue(ctx, chi.RouteCtxKey, route.Clone())
	}
	h.refresh()
	return ctx
}

// routeContexts are those that around has given out and that no task has kept.
var routeContexts = sync.Pool{New: func() any { return chi.NewRouteContext() }}

// around is for a middleware that is installed around a whole router. chi would make its
// route context inside, where no captured request could be told that it is over; it does
// not where there is one already. So the request gets one of ours.
func (h *host) around(router chi.Routes) {
	if h.route == nil {
		h.route, h.ours = routeContexts.Get().(*chi.Context), true
		h.route.Reset()
		h.route.Routes = router
	}
}

// recycle gives back a route context of ours that no task has seen.
func (h *host) recycle() {
	if h.ours && h.copy == nil {
		routeContexts.Put(h.route)
	}
}

// refresh makes the copy, again if routing has gone on since the last time.
func (h *host) refresh() {
	if h.ours {
		h.copy = h.route // which nobody takes away
		return
	}
	if h.copy == nil || len(h.copy.RoutePatterns) != len(h.route.RoutePatterns) ||
		len(h.copy.URLParams.Keys) != len(h.route.URLParams.Keys) {
		h.copy = h.route.Clone()
	}
}

// Detach has contexts answer the copy from now on.
func (h *host) Detach(returned bool) {
	if returned {
		h.gone = errors.Is(h.parent.Err(), context.Canceled)
	}
	if h.copy == nil || h.over.Load() != nil {
		return
	}
	if returned && !h.abandoned() {
		h.refresh()
	}
	h.over.Store(h.copy)
}

// abandoned reports that the request may have ended already, outside this middleware:
// http.TimeoutHandler, between the router and here, answers for a handler that takes too
// long and returns, and chi's route context belongs to another request then. Its writer
// is known by what it lacks.
func (h *host) abandoned() bool {
	if h.parent.Err() == nil {
		return false
	}
	_, flushes := find[http.Flusher](h.x.writer.inner)
	return !flushes
}

// About describes the request. The route's pattern is complete once the handler has been
// reached.
func (h *host) About(ctx context.Context) bgtasks.Info {
	return bgtasks.Info{
		Route:     chi.RouteContext(ctx).RoutePattern(),
		Method:    h.method,
		RequestID: middleware.GetReqID(ctx),
	}
}

func (h *host) Writing() (progress uint64, writing bool) { return h.x.writer.progress() }

// Cleanup returns how to remove the uploaded files, also for a form that a handler which
// outlives this middleware (http.TimeoutHandler inside) may still parse.
func (h *host) Cleanup() func() error {
	h.uploads.keep(h.x.req.MultipartForm)
	if h.uploads.none() && !strings.HasPrefix(h.x.req.Header.Get("Content-Type"), "multipart/") {
		return nil
	}
	return h.uploads.remove
}
