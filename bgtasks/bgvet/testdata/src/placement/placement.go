package placement

import (
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func inOneUse(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, chimw.BackgroundTasks(runner), middleware.Compress(5)) // want `Compress is further in than BackgroundTasks: it lends its encoder`
	return r
}

func afterwards(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	tasks := chimw.BackgroundTasks(runner)
	compressor := middleware.NewCompressor(5)
	r.Use(tasks)
	r.Use(middleware.Logger)
	r.Use(compressor.Handler) // want `Compress is further in`
	return r
}

func inGroups(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Group(func(r chi.Router) {
		r.Use(middleware.Compress(5)) // want `Compress is further in`
	})
	r.Route("/api", func(api chi.Router) {
		api.With(middleware.Compress(5)).Get("/", nil) // want `Compress is further in`
		api.Route("/deeper", routes)
	})
	more(r)
	return r
}

func routes(r chi.Router) {
	r.Use(middleware.Compress(5)) // want `Compress is further in`
}

func more(r chi.Router) {
	r.With(middleware.Compress(5)).Get("/", nil) // want `Compress is further in`
}

func wrapped(runner *bgtasks.Runner, h http.Handler) http.Handler {
	list := []func(http.Handler) http.Handler{chimw.BackgroundTasks(runner), middleware.Compress(5)} // want `Compress is further in`
	r := chi.NewRouter()
	r.Use(list...)
	inner := r.With(chimw.BackgroundTasks(runner))
	inner.With(middleware.Compress(5)).Get("/", nil)                // want `Compress is further in`
	return chimw.BackgroundTasks(runner)(middleware.Compress(5)(h)) // want `Compress is further in`
}

// Near misses.

func before(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Compress(5), chimw.BackgroundTasks(runner))
	r.Use(middleware.Logger)
	return r
}

func sideBySide(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Group(func(r chi.Router) { r.Use(chimw.BackgroundTasks(runner)) })
	r.Group(func(r chi.Router) { r.Use(middleware.Compress(5)) })
	r.With(chimw.BackgroundTasks(runner)).Post("/", nil)
	r.With(middleware.Compress(5)).Get("/", nil)
	return r
}

func either(runner *bgtasks.Runner, compress bool) http.Handler {
	r := chi.NewRouter()
	if compress {
		r.Use(middleware.Compress(5))
	} else {
		r.Use(chimw.BackgroundTasks(runner))
	}
	other := chi.NewRouter()
	other.Use(middleware.Compress(5))
	return r
}

func others(r chi.Router) {
	r.Use(middleware.Compress(5))
}
