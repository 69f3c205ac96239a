package chimw

import (
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
)

// BackgroundTasks returns a middleware that puts a task list into each request's context,
// for bgtasks.Add, and has r run it after the response. The package's documentation says
// when that is, and where the middleware belongs.
//
// Where it meets a request that has a list of r already, it does nothing: installed twice
// with one runner there is one list. With two runners each runs its own, and Add finds the
// inner one's.
//
// A handler that panics goes on panicking, and its tasks run all the same.
//
// It panics for a nil runner.
func BackgroundTasks(r *bgtasks.Runner) func(http.Handler) http.Handler {
	if r == nil {
		panic("chimw: BackgroundTasks needs a runner: make one with bgtasks.New")
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("chimw: BackgroundTasks needs a handler to wrap")
		}
		router, _ := next.(chi.Routes)
		in := installation{r, r.Snapshot(0).Config.SendTimeout}
		var sets methodSets
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if r.Opened(req.Context()) {
				next.ServeHTTP(w, req)
				return
			}
			x := begin(r, w, req)
			if router != nil {
				x.host.around(router)
			}
			defer x.finish(&in)
			x.serve(next, sets.give(&x.writer, w))
		})
	}
}

// An installation is what the requests of one middleware have in common.
type installation struct {
	runner      *bgtasks.Runner
	sendTimeout time.Duration // Config.SendTimeout, in effect
}
