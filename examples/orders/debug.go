package main

import (
	"net/http"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// debugPage is the page about the runner at /debug/tasks, and, with -metrics, its metrics at
// /metrics, which are for those who run the shop: they have names, routes and errors of tasks,
// or the numbers of each. So they are there with -debug only, which asks for a name and a
// password, and with -demo, which asks for none and has nobody's data.
//
// That a request comes from this machine would be no protection: so does each that a reverse
// proxy on it passes on.
type debugPage struct {
	page           http.Handler // nil: there is none
	metrics        http.Handler // likewise
	user, password string       // none: whoever reaches the program may see it
}

// newDebug has to be called before the first request.
func newDebug(cfg *config, runner *bgtasks.Runner) (d debugPage, err error) {
	if cfg.debug != "" || cfg.demo {
		d.page = chimw.Inspector(runner)
	}
	if cfg.metrics {
		d.metrics, err = newMetrics(runner)
	}
	d.user, d.password, _ = strings.Cut(cfg.debug, ":")
	return d, err
}

// routes belong outside of middleware.Timeout, as the page is live by a stream.
func (d debugPage) routes(r chi.Router) {
	if d.page == nil {
		return
	}
	r = d.guarded(r)
	r.Mount("/debug/tasks", d.page)
	if d.metrics != nil {
		r.Method(http.MethodGet, "/metrics", d.metrics)
	}
}

// guarded asks for the name and the password, if there is one.
func (d debugPage) guarded(r chi.Router) chi.Router {
	if d.user == "" {
		return r
	}
	return r.With(middleware.BasicAuth("tasks", map[string]string{d.user: d.password}))
}
