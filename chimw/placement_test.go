package chimw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

// bhPlaces are the places where the middleware can be installed for /shops/{shop}/items/{id}.
var bhPlaces = map[string]func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler{
	"on the router": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(ours)
		r.Route("/shops/{shop}", func(r chi.Router) { r.Get("/items/{id}", h) })
		return r
	},
	"on a subrouter": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Route("/shops/{shop}", func(r chi.Router) {
			r.Use(ours)
			r.Get("/items/{id}", h)
		})
		return r
	},
	"in a group": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Group(func(r chi.Router) {
			r.Use(ours)
			r.Get("/shops/{shop}/items/{id}", h)
		})
		return r
	},
	"through With": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.With(ours).Get("/shops/{shop}/items/{id}", h)
		return r
	},
	"through Mount": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		shop, r := chi.NewRouter(), chi.NewRouter()
		shop.Use(ours)
		shop.Get("/items/{id}", h)
		r.Mount("/shops/{shop}", shop)
		return r
	},
	"around what is mounted": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		shop, r := chi.NewRouter(), chi.NewRouter()
		shop.Get("/items/{id}", h)
		r.Mount("/shops/{shop}", ours(shop))
		return r
	},
	"outside the router": func(ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Route("/shops/{shop}", func(r chi.Router) { r.Get("/items/{id}", h) })
		return ours(r)
	},
}

func TestEveryPlaceForTheMiddleware(t *testing.T) {
	for place, build := range bhPlaces {
		t.Run(place, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				run, _ := bhRunner(bgtasks.Config{})
				arrived, seen := make(chan struct{}), make(chan []string, 1)
				s := servertest.Start(t, p, build(chimw.BackgroundTasks(run), func(w http.ResponseWriter, r *http.Request) {
					bhAdd(t, r.Context(), "see", func(ctx context.Context) error {
						if err := bhUntil(arrived)(ctx); err != nil {
							return err
						}
						info, _ := bgtasks.InfoFrom(ctx)
						seen <- []string{chi.URLParamFromCtx(ctx, "shop"), chi.URLParam(r, "id"), info.Route}
						return nil
					})
					render.PlainText(w, r, "ok")
				}))
				_, body := bhGet(t, s, "/shops/s4/items/i7")
				assert.Equal(t, "ok", body)
				close(arrived)
				assert.Equal(t, []string{"s4", "i7", "/shops/{shop}/items/{id}"}, bhReceive(t, seen, "the task"))
			})
		})
	}
}

func TestOnAPlainServeMux(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{})
		arrived, seen := make(chan struct{}), make(chan string, 1)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "see", func(ctx context.Context) error {
				defer func() { seen <- r.PathValue("id") }()
				assert.Nil(t, chi.RouteContext(ctx))
				return bhUntil(arrived)(ctx)
			})
			render.PlainText(w, r, "ok")
		})
		s := servertest.Start(t, p, chimw.BackgroundTasks(run)(mux))
		_, body := bhGet(t, s, "/items/7")
		assert.Equal(t, "ok", body)
		close(arrived)
		assert.Equal(t, "7", bhReceive(t, seen, "the task"))
	})
}

func TestNilRunnerOrHandlerPanicsWhenTheRouterIsBuilt(t *testing.T) {
	assert.Panics(t, func() { chimw.BackgroundTasks(nil) })
	assert.Panics(t, func() { chimw.BackgroundTasks(bgtasks.New(bgtasks.Config{}))(nil) })
	assert.Panics(t, func() { chimw.Uploads(nil) })
	assert.Panics(t, func() { chimw.Attach(nil) })
}
