package shapes

import (
	"fmt"
	"net/http"
)

func streams() []Shape {
	return []Shape{
		{Name: "flushed before the body", Handler: func(w http.ResponseWriter, r *http.Request) {
			flush(w)
			text(w, r)
		}},
		{Name: "flushed after the body", Handler: func(w http.ResponseWriter, r *http.Request) {
			text(w, r)
			flush(w)
		}},
		{Name: "flushed without a body", Handler: func(w http.ResponseWriter, _ *http.Request) { flush(w) }},
		{Name: "flushed with Content-Length", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "12")
			text(w, r)
			flush(w)
		}},
		{Name: "Flush by the interface", Handler: func(w http.ResponseWriter, r *http.Request) {
			text(w, r)
			w.(http.Flusher).Flush()
			write(w, " and more")
		}},
		{Name: "HEAD flushed", Method: http.MethodHead, Handler: stream},
		{Name: "204 flushed", Handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			flush(w)
		}},
		{Name: "stream", Handler: stream},
		{Name: "stream of large pieces", Handler: func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				write(w, large)
				flush(w)
			}
		}},
		{Name: "trailer, declared", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			text(w, r)
			w.Header().Set("X-Sum", "42")
		}},
		{Name: "trailer, declared and never set", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			text(w, r)
		}},
		{Name: "trailer by prefix", Handler: func(w http.ResponseWriter, r *http.Request) {
			stream(w, r)
			w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
		}},
		{Name: "trailer after a flush without a body", Handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			flush(w)
			w.Header().Set("X-Sum", "42")
		}},
	}
}

func stream(w http.ResponseWriter, _ *http.Request) {
	for i := range 20 {
		_, _ = fmt.Fprintf(w, "line %d\n", i)
		flush(w)
	}
}
