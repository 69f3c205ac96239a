package chimw

import (
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/inspector"
)

// Inspector returns a handler that shows what r is doing: what runs and what waits, counts
// and rates, the last failures with their stacks, how near the limits are, and what a
// shutdown waits for. Mount it as chi's middleware.Profiler, behind authentication, as task
// names, routes, request IDs and errors are nobody else's business:
//
//	r.Group(func(r chi.Router) {
//		r.Use(middleware.BasicAuth("tasks", map[string]string{"admin": password}))
//		r.Mount("/debug/tasks", chimw.Inspector(runner))
//	})
//
// One address answers a page, JSON, or a stream of server-sent events with the same JSON
// every second, by the request's Accept header, whatever its path. It answers GET and HEAD
// only, changes nothing, and shows no arguments of tasks. The page loads nothing from
// elsewhere. A stream ends when the shutdown of its server begins or that of r is through:
// it does not hold up either.
//
// Inspector observes r (see [bgtasks.Runner.Observe]), so call it when the router is built:
// it panics for a nil runner, and for one that has had a request. What it keeps is bounded:
// five minutes of counts, 32 failures. On a server of its own, for administrators, it can be
// asked while r shuts down.
func Inspector(r *bgtasks.Runner) http.Handler {
	if r == nil {
		panic("chimw: Inspector needs a runner: make one with bgtasks.New")
	}
	return inspector.New(r, func(req *http.Request) inspector.Server {
		s := inspector.Server{Attached: connOf(req.Context()).attached(), Unattached: notAttachedBefore(r)}
		if srv, ok := req.Context().Value(http.ServerContextKey).(*http.Server); ok {
			s.Closing = closing(srv)
		}
		return s
	})
}
