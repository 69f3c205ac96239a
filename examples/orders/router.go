package main

import (
	"log/slog"
	"net/http"
	"strings"
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
// pools its encoders, and, outside of all, the limit of a request's size, because it closes the
// connection of a client that sends too much, which it can only with net/http's own writer.
// The others can be on either side.
func newRouter(a *api, runner *bgtasks.Runner, log *slog.Logger) http.Handler {
	r := chi.NewRouter()
	r.Use(
		limitSize,
		middleware.RequestID,
		httplog.RequestLogger(log, &httplog.Options{Level: slog.LevelInfo, Schema: httplog.SchemaOTEL.Concise(true), RecoverPanics: true}),
		middleware.Heartbeat("/health"),
		middleware.Compress(5),
		stripSlashes,
		sameOrigin().Handler,
		chimw.BackgroundTasks(runner),
	)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, problem(http.StatusNotFound, "there is nothing at this address"))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, problem(http.StatusMethodNotAllowed, ""))
	})
	r.Get("/events", a.events) // without an end of its own
	a.debug.routes(r)
	a.riverUIRoutes(r)
	r.Group(func(r chi.Router) {
		r.Use(middleware.Timeout(requestTimeout)) // its tasks have their own
		pageRoutes(r, a)
		orderRoutes(r, a)
		otherRoutes(r, a)
	})
	return r
}

func orderRoutes(r chi.Router, a *api) {
	r.Route("/orders", func(r chi.Router) {
		r.Post("/", a.createOrder)
		r.Get("/", a.listOrders)
		r.Get("/{id}", a.getOrder)
	})
}

func otherRoutes(r chi.Router, a *api) {
	r.Get("/items", a.listItems)
	r.Post("/items", a.createItem)
	r.Delete("/items/{id}", a.deleteItem)

	r.With(chimw.Uploads).Post("/images", a.uploadImage) // Timeout has copied the request
	r.Get("/images", a.listImages)
	r.Get("/images/{id}", a.getImage)
	r.Get("/images/{id}/thumbnail", a.getThumbnail)

	r.Post("/imports", a.importDelivery)
	r.Get("/export", a.export)

	r.Put("/customers/{id}", a.putCustomer)
	r.Get("/customers/{id}", a.getCustomer)

	r.Post("/reports", a.requestReport)
	r.Get("/reports", a.listReports)
	r.Get("/reports/{id}", a.getReport)
	r.Get("/reports/{id}/file", a.getReportFile)

	slow := r.With(middleware.Throttle(4)) // hashing a password takes a processor's time
	slow.Post("/users", a.createUser)
	slow.Post("/login", a.login)
	r.Get("/me", a.me)
}

// stripSlashes leaves a path alone in which something is escaped: chi's takes a %2F at the end for a slash.
func stripSlashes(next http.Handler) http.Handler {
	strip := middleware.StripSlashes(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath != "" {
			next.ServeHTTP(w, r)
			return
		}
		strip.ServeHTTP(w, r)
	})
}

// limitSize bounds a request's body: uploads may be larger.
func limitSize(next http.Handler) http.Handler {
	small, large := middleware.RequestSize(maxBody)(next), middleware.RequestSize(maxUpload)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") == "/images" {
			large.ServeHTTP(w, r)
			return
		}
		small.ServeHTTP(w, r)
	})
}

// sameOrigin keeps other sites' pages from having a visitor's browser change something here.
func sameOrigin() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, problem(http.StatusForbidden, "the request comes from another site"))
	}))
	return p
}
