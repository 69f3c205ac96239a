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
	parent context.Context // the request's, as it came in
	method string

	route *chi.Context // chi's, or ours; nil outside a router
	copy  *routeCopy   // made by Capture
	ours  bool         // route is: see around and separate
	kept  bool         // route is ours, and the tasks'
	over  atomic.Bool  // what contexts answer is the copy, or what was kept
}

var _ bgtasks.Host = (*exchange)(nil)

func (h *host) init(x *exchange, w http.ResponseWriter, req *http.Request) {
	h.parent, h.method = req.Context(), req.Method
	h.route = chi.RouteContext(h.parent)
	if h.route != nil && h.underTimeout(w) {
		x.separate(req)
	}
	if form := req.MultipartForm; form != nil {
		x.extra.get().uploads.had = form
	}
}

// requestContext is the context of the request, with chi's route context replaced by a
// copy once the request is over. It is a pointer, so making one does not allocate.
type requestContext struct{ x *exchange }

var _ context.Context = requestContext{}

func (c requestContext) Deadline() (time.Time, bool) { return c.x.host.parent.Deadline() }
func (c requestContext) Done() <-chan struct{}       { return c.x.host.parent.Done() }
func (c requestContext) Err() error                  { return c.x.host.parent.Err() }
func (c requestContext) String() string              { return "chimw.requestContext" }

func (c requestContext) Value(key any) any {
	switch key {
	case chi.RouteCtxKey:
		if route := c.x.host.answer(); route != nil {
			return route
		}
	case uploadsKey{}:
		return &c.x.extra.get().uploads
	}
	return c.x.host.parent.Value(key)
}

// answer is the route context for contexts inside the middleware, where it is not the
// parent's.
func (h *host) answer() *chi.Context {
	switch {
	case !h.over.Load():
		if h.ours {
			return h.route
		}
		return nil
	case h.kept:
		return h.route
	}
	return h.copy.get()
}

// Capture makes the copy of the route context.
func (x *exchange) Capture(ctx context.Context) context.Context {
	h, route := &x.host, chi.RouteContext(ctx)
	switch {
	case route == nil:
		return ctx
	case !h.over.Load():
		if h.route != nil {
			h.refresh()
		}
	case route == h.answer(): // the list has started while the handler was stuck
		return ctx
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
// what it lacks. (So does one that hides what it wraps, at little cost: see separate.) It answers for a handler that
// takes too long, and returns while that still runs.
func (h *host) underTimeout(w http.ResponseWriter) bool {
	if _, limited := h.parent.Deadline(); !limited {
		return false
	}
	_, flushes := innermost(w).(http.Flusher)
	return !flushes
}

// gaveUp reports that http.TimeoutHandler has answered already.
func (x *exchange) gaveUp(w http.ResponseWriter) bool {
	return x.host.parent.Err() != nil && x.host.underTimeout(w)
}

// separate gives a request under http.TimeoutHandler a route context of its own: chi's may
// belong to another request long before this one's handler returns.
func (x *exchange) separate(req *http.Request) {
	h, outer := &x.host, x.host.route
	x.extra.get().outer = outer
	h.route, h.ours = outer.Clone(), true
	inOrder(h.parent)
	if h.parent.Err() != nil && !isOf(h.route, req) { // and it may already
		h.route = chi.NewRouteContext()
	}
}

// isOf reports whether route, which may be half of one and half of another, is what routing has found for req, as far
// as routing can go on by it: chi notes that in the request too, which is nobody else's.
func isOf(route *chi.Context, req *http.Request) bool {
	params := route.URLParams
	if len(params.Keys) != len(params.Values) || route.RouteMethod != "" && route.RouteMethod != req.Method {
		return false
	}
	if len(route.RoutePatterns) == 0 {
		return route.RoutePath == ""
	}
	for _, key := range params.Keys {
		value, own := route.URLParam(key), req.PathValue(key)
		mounted := key == "*" && value == "" && route.RoutePath == "/"+own // the rest of the path is moved there
		if value != own && !mounted {
			return false
		}
	}
	return route.RoutePattern() == req.Pattern
}

// margin before a timeout in which chi's route context is left alone.
const margin = 10 * time.Millisecond

// giveBack tells middleware between the router and here what routing has found, if there is
// time to. (http.TimeoutHandler inside a router also returns when the client goes, of which
// there is no warning: it is not safe there, with or without this package, as chi itself
// goes on using the route context. Around the router it is.)
func (x *exchange) giveBack() {
	extra, h := x.extra.made.Load(), &x.host
	if extra == nil || extra.outer == nil || h.parent.Err() != nil {
		return
	}
	if at, _ := h.parent.Deadline(); time.Until(at) < margin {
		return
	}
	o := extra.outer
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
	if h.copy == nil || !h.copy.of(h.route) {
		h.copy = copyRoute(h.route)
	}
}

// Detach has contexts answer the copy from now on.
func (x *exchange) Detach(returned bool) bgtasks.Outcome {
	if !returned {
		x.writer.calls.late()
	}
	if h := &x.host; h.copy != nil && !h.over.Load() {
		switch {
		case returned && h.ours:
			h.kept = true // nobody takes it away
		case returned:
			h.refresh()
		}
		h.over.Store(true)
	}
	o := x.writer.outcome()
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	return o
}

// About describes the request. The route's pattern is complete once the handler has been
// reached. Where there is a copy, the original may be being routed on elsewhere.
func (x *exchange) About(ctx context.Context) bgtasks.Info {
	return bgtasks.Info{
		Route:     x.host.pattern(chi.RouteContext(ctx)),
		Method:    x.host.method,
		RequestID: middleware.GetReqID(ctx),
	}
}

func (h *host) pattern(route *chi.Context) string {
	switch {
	case h.copy == nil || h.kept:
	case route == h.route || route == h.copy.context.Load():
		return h.copy.routePattern()
	}
	return route.RoutePattern()
}

func (x *exchange) Writing() (progress uint64, writing bool) { return x.writer.progress() }

// Cleanup returns how to remove the uploaded files, also for a form that a handler which
// outlives this middleware (http.TimeoutHandler inside) may still parse.
func (x *exchange) Cleanup() func() error {
	extra := x.extra.made.Load()
	if form := x.req.MultipartForm; form != nil {
		extra = x.extra.get()
		extra.uploads.keep(form)
	}
	if extra == nil || extra.uploads.none() {
		if !claimsForm(x.req) {
			return nil
		}
		extra = x.extra.get()
	}
	return extra.uploads.remove
}

const formPrefix = "multipart/"

// claimsForm is for every request, and spares it what Header.Get does to the key.
func claimsForm(req *http.Request) bool {
	of := req.Header["Content-Type"]
	return len(of) > 0 && len(of[0]) >= len(formPrefix) && strings.EqualFold(of[0][:len(formPrefix)], formPrefix)
}
