package right

import (
	"compress/gzip"
	"io"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

func listOrders(w http.ResponseWriter, r *http.Request) { render.JSON(w, r, []Order{}) }

func health(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }

// Right37: near category 7, easy.
// Compress first.
func Right37Routes(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestID, chimiddleware.Compress(5), chimw.BackgroundTasks(runner))
	r.Use(chimiddleware.Recoverer)
	r.Get("/orders", listOrders)
	return r
}

// Right38: near category 7, medium.
// Compress comes later in the text, in a group beside that with BackgroundTasks.
func Right38Routes(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.Logger)
	r.Group(func(r chi.Router) {
		r.Use(chimw.BackgroundTasks(runner))
		r.Get("/orders", listOrders)
	})
	r.Group(func(r chi.Router) {
		r.Use(chimiddleware.Compress(5))
		r.Get("/health", health)
	})
	return r
}

// Right39: near category 7, medium.
// The router with BackgroundTasks is made first, and mounted into the one with Compress; further
// routes have both by With, in the right order.
func Right39Routes(runner *bgtasks.Runner) http.Handler {
	api := chi.NewRouter()
	api.Use(chimw.BackgroundTasks(runner))
	api.Get("/orders", listOrders)

	tasks, compress := chimw.BackgroundTasks(runner), chimiddleware.Compress(5)
	root := chi.NewRouter()
	root.With(compress).Mount("/api", api)
	root.With(compress, tasks).Get("/orders", listOrders)
	root.Method(http.MethodGet, "/v2/orders", chi.Chain(compress, chimiddleware.Timeout(time.Second), tasks).HandlerFunc(listOrders))
	return root
}

// Compress takes compressed requests, whatever its name says; it leaves the response alone.
func Compress(level int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if level == 0 || r.Header.Get("Content-Encoding") != "gzip" {
				next.ServeHTTP(w, r)
				return
			}
			body, err := gzip.NewReader(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(body)
			next.ServeHTTP(w, r)
		})
	}
}

// Right40: near category 7, subtle.
// Further in there is a Compress that is not chi's; chi's own is on another router, served at
// another address.
func Right40Routes(runner *bgtasks.Runner) (public, admin http.Handler) {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Use(chimiddleware.AllowContentEncoding("gzip"), Compress(5))
	r.Get("/orders", listOrders)

	a := chi.NewRouter()
	a.Use(chimiddleware.Compress(5))
	a.Get("/health", health)
	return r, a
}
