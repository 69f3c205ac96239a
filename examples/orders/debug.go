package main

import (
	"net/http"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// debugPage is the page about the runner at /debug/tasks, which is for those who run the shop:
// it has names, routes and errors of tasks. So it is there with -debug only, which asks for a
// name and a password, and with -demo, which asks for none and has nobody's data.
//
// That a request comes from this machine would be no protection: so does each that a reverse
// proxy on it passes on.
type debugPage struct {
	page           http.Handler // nil: there is none
	user, password string       // none: whoever reaches the program may see it
}

// newDebug has to be called before the first request.
func newDebug(cfg *config, runner *bgtasks.Runner) (d debugPage) {
	if cfg.debug != "" || cfg.demo {
		d.page = chimw.Inspector(runner)
	}
	d.user, d.password, _ = strings.Cut(cfg.debug, ":")
	return d
}

// routes belong outside of middleware.Timeout, as the page is live by a stream.
func (d debugPage) routes(r chi.Router) {
	if d.page == nil {
		return
	}
	if d.user != "" {
		r = r.With(middleware.BasicAuth("tasks", map[string]string{d.user: d.password}))
	}
	r.Mount("/debug/tasks", d.page)
}
