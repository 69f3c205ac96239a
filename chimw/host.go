package chimw

import (
	"context"
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
	gone   bool // the client has, before the handler returned

	route *chi.Context                // chi's, or ours; nil outside a router
	ours  bool                        // route is: see around and separate
	outer *chi.Context                // chi's, where separate has put ours in its place
	copy  *chi.Context                // made by Capture
	over  atomic.Pointer[chi.Context] // copy, once Detach has been called

	uploads uploads
}

var _ bgtasks.Host = (*host)(nil)

func (h *host) init(x *exchange, req *http.Request) {
	h.x, h.parent, h.method = x, req.Context(), req.Method
	h.route = chi.RouteContext(h.parent)
	if h.route != nil && h.underTimeout() {
		h.separate()
	}
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
	}
	if h.route != nil && h.over.Load() == nil {
		h.refresh()
	}
	if route != h.route { // a router inside the middleware has made it
		return context.WithValue(ctx, chi.RouteCtxKey, route.Clone())
	}
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

// underTimeout reports that http.TimeoutHandler is somewhere outside: its writer is known by
// what it lacks. It answers for a handler that takes too long, and returns while that still
// runs.
func (h *host) underTimeout() bool {
	if _, limited := h.parent.Deadline(); !limited {
		return false
	}
	_, flushes := innermost(h.x.writer.inner).(http.Flusher)
	return !flushes
}

// gaveUp reports that http.TimeoutHandler has answered already.
func (h *host) gaveUp() bool { return h.parent.Err() != nil && h.underTimeout() }

// separate gives a request under http.TimeoutHandler a route context of its own: chi's may
// belong to another request long before this one's handler returns.
func (h *host) separate() {
	h.outer, h.ours = h.route, true
	h.route = h.outer.Clone()
	inOrder(h.parent)
	if h.parent.Err() != nil { // and it may already: nothing in the copy can be trusted
		h.route = chi.NewRouteContext()
	}
}

// margin before a timeout in which chi's route context is left alone.
const margin = 10 * time.Millisecond

// giveBack tells middleware between the router and here what routing has found, if there is
// time to. (http.TimeoutHandler inside a router also returns when the client goes, of which
// there is no warning: it is not safe there, with or without this package, as chi itself
// goes on using the route context. Around the router it is.)
func (h *host) giveBack() {
	if h.outer == nil || h.parent.Err() != nil {
		return
	}
	if at, _ := h.parent.Deadline(); time.Until(at) < margin {
		return
	}
	o := h.outer
	o.RoutePath, o.RouteMethod = h.route.RoutePath, h.route.RouteMethod
	o.RoutePatterns = append(o.RoutePatterns[:0], h.route.RoutePatterns...)
	o.URLParams.Keys = append(o.URLParams.Keys[:0], h.route.URLParams.Keys...)
	o.URLParams.Values = append(o.URLParams.Values[:0], h.route.URLParams.Values...)
	inOrder(h.parent)
}

// inOrder has all that was done before happen before what ctx's end brings about (it takes
// the lock that ending ctx takes).
func inOrder(ctx context.Context) { context.AfterFunc(ctx, func() {})() }

// refresh makes the copy, again if routing has gone on since the last time.
func (h *host) refresh() {
	if h.copy == nil || len(h.copy.RoutePatterns) != len(h.route.RoutePatterns) ||
		len(h.copy.URLParams.Keys) != len(h.route.URLParams.Keys) {
		h.copy = h.route.Clone()
	}
}

// Detach has contexts answer the copy from now on.
func (h *host) Detach(returned bool) bgtasks.Outcome {
	if h.copy != nil && h.over.Load() == nil {
		switch {
		case returned && h.ours:
			h.copy = h.route // which nobody takes away
		case returned:
			h.refresh()
		}
		h.over.Store(h.copy)
	}
	o := h.x.writer.outcome()
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	return o
}

// About describes the request. The route's pattern is complete once the handler has been
// reached. Where there is a copy, the original may be being routed on elsewhere.
func (h *host) About(ctx context.Context) bgtasks.Info {
	route := chi.RouteContext(ctx)
	if route == h.route && h.copy != nil {
		route = h.copy
	}
	return bgtasks.Info{
		Route:     route.RoutePattern(),
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
