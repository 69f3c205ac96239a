package shapes

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5/middleware"
)

// wrapped have a writer between net/http's and the middleware under test, or further in.
func wrapped() []Shape {
	gzip := map[string]string{"Accept-Encoding": "gzip"}
	compress := []func(http.Handler) http.Handler{middleware.Compress(5, "text/plain")}
	logger := []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(middleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
		})
	}}
	timeout := []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, time.Hour, "")
	}}
	inner := http.TimeoutHandler(http.HandlerFunc(text), time.Hour, "").ServeHTTP
	return []Shape{
		{Name: "Compress outside, small", Header: gzip, Outside: compress, Handler: text},
		{Name: "Compress outside, 100 kB", Header: gzip, Outside: compress, Handler: compressible},
		{Name: "Compress outside, not asked for", Outside: compress, Handler: compressible},
		{Name: "Compress outside, stream", Header: gzip, Outside: compress, Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			stream(w, r)
		}},
		{Name: "chi's wrapper outside", Outside: logger, Handler: text},
		{Name: "chi's wrapper outside, stream", Outside: logger, Handler: stream},
		{Name: "chi's wrapper outside, copied", Outside: logger, Handler: copied(large)},
		{Name: "chi's wrapper inside, copied", Handler: func(w http.ResponseWriter, r *http.Request) {
			copied(large)(middleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
		}},
		{Name: "chi's wrapper inside, stream", Handler: func(w http.ResponseWriter, r *http.Request) {
			stream(middleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
		}},
		{Name: "TimeoutHandler outside", Outside: timeout, Handler: text},
		{Name: "TimeoutHandler outside, 100 kB", Outside: timeout, Handler: written(100_000, 1000)},
		{Name: "TimeoutHandler outside, panic", Outside: timeout, Handler: failing(text, "shape")},
		{Name: "TimeoutHandler inside", Handler: inner},
	}
}

func compressible(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	written(100_000, 1000)(w, r)
}
