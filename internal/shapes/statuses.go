package shapes

import (
	"net/http"

	"github.com/go-chi/render"
)

func statuses() []Shape {
	return []Shape{
		{Name: "204", Handler: render.NoContent},
		{Name: "204 with a body", Handler: status(http.StatusNoContent, "not allowed")},
		{Name: "304", Handler: status(http.StatusNotModified, "")},
		{Name: "304 copied", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotModified)
			copied(large)(w, r)
		}},
		{Name: "418 without a body", Handler: status(http.StatusTeapot, "")},
		{Name: "500", Handler: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "out of order", http.StatusInternalServerError)
		}},
		{Name: "status set twice", Handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusConflict)
			write(w, "the first counts")
		}},
		{Name: "status set after the body", Handler: func(w http.ResponseWriter, _ *http.Request) {
			write(w, "200 it is")
			w.WriteHeader(http.StatusConflict)
		}},
		{Name: "status out of range", Handler: status(42, "")},
		{Name: "header set after the body", Handler: func(w http.ResponseWriter, _ *http.Request) {
			write(w, "too late for X-Late")
			w.Header().Set("X-Late", "1")
		}},
		{Name: "no Date and no Content-Type", Handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			w.Header()["Content-Type"] = nil
			write(w, "bare")
		}},
		{Name: "redirect", Handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
		}},
		{Name: "early hints", Handler: func(w http.ResponseWriter, r *http.Request) {
			hint(w)
			text(w, r)
		}},
		{Name: "early hints twice, then a stream", Handler: func(w http.ResponseWriter, r *http.Request) {
			hint(w)
			hint(w)
			stream(w, r)
		}},
		{Name: "early hints only", Handler: func(w http.ResponseWriter, _ *http.Request) { hint(w) }},
		{Name: "404 of the router", Path: "/nowhere", Handler: text},
		{Name: "405 of the router", Path: Probe, Method: http.MethodDelete, Handler: text},
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		if body != "" {
			write(w, body)
		}
	}
}

func hint(w http.ResponseWriter) {
	w.Header().Add("Link", "</style.css>; rel=preload; as=style")
	w.WriteHeader(http.StatusEarlyHints)
}
