package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httplog/v3"
)

// requestTimeout is for reading a request, and for answering it.
const requestTimeout = 30 * time.Second

// newRouter shows where the middleware goes. Outside BackgroundTasks are Compress, because it
// pools its encoders, and, outside of all, RequestSize, because it closes the connection of a
// client that sends too much, which it can only with net/http's own writer. The others can
// be on either side.
func newRouter(a *api, runner *bgtasks.Runner, log *slog.Logger) http.Handler {
	r := chi.NewRouter()
	r.Use(
		middleware.RequestSize(maxBody),
		middleware.RequestID,
		httplog.RequestLogger(log, &httplog.Options{Level: slog.LevelInfo, Schema: httplog.SchemaOTEL.Concise(true), RecoverPanics: true}),
		middleware.Heartbeat("/health"),
		middleware.Compress(5),
		middleware.StripSlashes,
		chimw.BackgroundTasks(runner),
		middleware.Timeout(requestTimeout), // its tasks have their own
	)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, problem(http.StatusNotFound, "there is nothing at this address"))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, problem(http.StatusMethodNotAllowed, ""))
	})
	r.Route("/orders", func(r chi.Router) {
		r.Post("/", a.createOrder)
		r.Get("/", a.listOrders)
		r.Get("/{id}", a.getOrder)
	})
	r.Get("/items", a.listItems)
	return r
}
