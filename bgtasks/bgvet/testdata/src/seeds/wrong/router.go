package wrong

import (
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

// Wrong37: category 7, easy.
// In the same Use, Compress after BackgroundTasks.
func Wrong37Routes(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestID, chimiddleware.Recoverer)
	r.Use(chimw.BackgroundTasks(runner), chimiddleware.Compress(5)) // WRONG(7) in Wrong37
	r.Get("/orders", listOrders)
	return r
}

// Wrong38: category 7, medium.
// Compress on a subrouter of the router that has BackgroundTasks.
func Wrong38Routes(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.Logger)
	r.Use(chimw.BackgroundTasks(runner))
	r.Get("/health", health)
	r.Route("/v1", func(r chi.Router) {
		r.Use(chimiddleware.Timeout(10 * time.Second))
		r.Group(func(r chi.Router) {
			r.Use(chimiddleware.Compress(5, "application/json")) // WRONG(7) in Wrong38
			r.Get("/orders", listOrders)
		})
	})
	return r
}

// Wrong39: category 7, medium.
// The router with Compress is made first, and mounted into the one with BackgroundTasks.
func Wrong39Routes(runner *bgtasks.Runner) http.Handler {
	api := chi.NewRouter()
	api.Use(chimiddleware.Compress(5)) // WRONG(7) in Wrong39
	api.Get("/orders", listOrders)

	root := chi.NewRouter()
	root.Use(chimw.BackgroundTasks(runner))
	root.Get("/health", health)
	root.Mount("/api", api) // ALSO(7) in Wrong39
	return root
}

// Wrong40: category 7, subtle.
// Both in variables, in a chain that is put together step by step.
func Wrong40Routes(runner *bgtasks.Runner, compressed bool) http.Handler {
	tasks, compress := chimw.BackgroundTasks(runner), chimiddleware.Compress(5) // ALSO(7) in Wrong40
	stack := chi.Middlewares{chimiddleware.RequestID, tasks}
	if compressed {
		stack = append(stack, compress) // WRONG(7) in Wrong40
	}
	r := chi.NewRouter()
	r.Method(http.MethodGet, "/orders", stack.HandlerFunc(listOrders)) // ALSO(7) in Wrong40
	return r
}
