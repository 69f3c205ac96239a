package shapes

import "net/http"

func failures() []Shape {
	return []Shape{
		{Name: "panic at once", Handler: func(http.ResponseWriter, *http.Request) { panic("shape") }},
		{Name: "panic after the header", Handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			panic("shape")
		}},
		{Name: "panic after a small body", Handler: failing(text, "shape")},
		{Name: "panic after a large body", Handler: failing(written(100_000, 1000), "shape")},
		{Name: "panic after a flush", Handler: failing(stream, "shape")},
		{Name: "aborted at once", Handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{Name: "aborted after a small body", Handler: failing(text, http.ErrAbortHandler)},
		{Name: "aborted after a flush", Handler: failing(stream, http.ErrAbortHandler)},
	}
}

func failing(first http.HandlerFunc, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		first(w, r)
		panic(value)
	}
}
