package shapes

import (
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/render"
)

func bodies() []Shape {
	return []Shape{
		{Name: "nothing", Handler: func(http.ResponseWriter, *http.Request) {}},
		{Name: "empty write", Handler: func(w http.ResponseWriter, _ *http.Request) { write(w, "") }},
		{Name: "small text", Handler: text},
		{Name: "small JSON", Handler: func(w http.ResponseWriter, r *http.Request) {
			render.Status(r, http.StatusCreated)
			render.JSON(w, r, map[string]int{"id": 4})
		}},
		{Name: "3 kB at once", Handler: written(3000, 3000)},
		{Name: "3 kB in pieces", Handler: written(3000, 7)},
		{Name: "100 kB at once", Handler: written(100_000, 100_000)},
		{Name: "100 kB in pieces", Handler: written(100_000, 1000)},
		{Name: "WriteString", Handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a string")
		}},
		{Name: "WriteString of 100 kB", Handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, large)
		}},
		{Name: "copied", Handler: copied("from a reader")},
		{Name: "copied 100 kB", Handler: copied(large)},
		{Name: "copied after a write", Handler: func(w http.ResponseWriter, r *http.Request) {
			write(w, "first ")
			copied(large)(w, r)
		}},
		{Name: "copied with Content-Length", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			copied(large)(w, r)
		}},
		{Name: "Content-Length right", Handler: sized("12", "twelve bytes")},
		{Name: "Content-Length too long", Handler: sized("13", "twelve bytes")},
		{Name: "Content-Length too short", Handler: sized("11", "twelve bytes")},
		{Name: "Content-Length of a large body too long", Handler: sized("100001", large)},
		{Name: "Content-Length of a large body too short", Handler: sized("99999", large)},
		{Name: "HEAD", Method: http.MethodHead, Handler: text},
		{Name: "HEAD with nothing", Method: http.MethodHead, Handler: func(http.ResponseWriter, *http.Request) {}},
		{Name: "HEAD of 100 kB", Method: http.MethodHead, Handler: written(100_000, 1000)},
		{Name: "HEAD copied", Method: http.MethodHead, Handler: copied(large)},
		{Name: "HEAD with Content-Length", Method: http.MethodHead, Handler: sized("12", "")},
	}
}

func text(w http.ResponseWriter, r *http.Request) {
	render.PlainText(w, r, "a small text")
}

func written(size, piece int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for at := 0; at < size; at += piece {
			write(w, large[at:min(at+piece, size)])
		}
	}
}

// copied hides the reader's WriteTo: io.Copy then uses the writer's ReadFrom.
func copied(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader(s)})
	}
}

func sized(length, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", length)
		write(w, body)
	}
}
