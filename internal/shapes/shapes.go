// Package shapes lists the forms that a response can take: empty, flushed, streamed, failed,
// hijacked and so on. Tests compare the bytes on the wire with and without a middleware.
package shapes

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// When a client sends the body of its request.
type When int

// The body follows the header at once, after the first "100 Continue", after the head of the
// response, or never although Content-Length promises it.
const (
	AtOnce When = iota
	AfterContinue
	AfterHead
	Never
)

// A Shape is a request and the handler that answers it.
type Shape struct {
	Name     string
	Method   string // GET where empty
	Path     string // Route where empty
	Header   map[string]string
	Body     string
	SendBody When
	Outside  []func(http.Handler) http.Handler // around the middleware under test
	Handler  http.HandlerFunc
}

// Paths of Router: the handler, and one that always answers the same small text.
const (
	Route = "/shape"
	Probe = "/probe"
)

// Router has the shape's handler behind mws.
func (s Shape) Router(mws ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(s.Outside...)
	r.Use(mws...)
	r.HandleFunc(Route, s.Handler)
	r.Get(Probe, func(w http.ResponseWriter, _ *http.Request) { write(w, "probe") })
	return r
}

// Verb is the method of the request.
func (s Shape) Verb() string {
	if s.Method == "" {
		return http.MethodGet
	}
	return s.Method
}

// Target is the path of the request.
func (s Shape) Target() string {
	if s.Path == "" {
		return Route
	}
	return s.Path
}

// All returns the shapes of every HTTP version. Those that need a file or a server of
// their own have it until t ends.
func All(t testing.TB) []Shape {
	all := append(bodies(), statuses()...)
	all = append(all, streams()...)
	all = append(all, failures()...)
	all = append(all, requests()...)
	all = append(all, files(t)...)
	all = append(all, proxied(t)...)
	return append(all, wrapped()...)
}

var large = strings.Repeat("0123456789abcdef", 100_000/16)

// write ignores errors: the shapes whose writes fail are meant to.
func write(w http.ResponseWriter, s string) {
	_, _ = w.Write([]byte(s))
}

// flush panics where it doesn't work, because a flush that did nothing would make two
// responses equal that are not.
func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err)
	}
}
