// Command suites runs the test suites of chi and of its neighbours, as they are published, with
// chimw.BackgroundTasks and a task in front of everything that they serve, and compares what
// passes with a run without. It works on copies in a temporary folder, which it removes.
//
//	go run ./internal/suites
//
// It needs the module proxy, as any build does that has not been done before. The exit status
// is 1 if a test that passes without the middleware does not pass with it.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

// A suite is a module's, and where its copy is changed so that the middleware gets in.
type suite struct {
	module string
	patch  patch // of its own
}

var suites = []suite{
	// Not among mx.middlewares, which some tests count.
	{"github.com/go-chi/chi/v5", patch{"mux.go", `chain(mx.middlewares, http.HandlerFunc(mx.routeHTTP))`,
		`chain(append(Installed[:len(Installed):len(Installed)], mx.middlewares...), http.HandlerFunc(mx.routeHTTP))`}},
	{"github.com/go-chi/cors", patch{"cors.go", handlerBegins, handlerInstalls}},
	{"github.com/go-chi/httprate", patch{"limiter.go", handlerBegins, handlerInstalls}},
	{"github.com/go-chi/httplog/v3", patch{}},
	{"github.com/go-chi/render", patch{}},
}

// Neighbours make no routers: their tests serve what Handler returns.
const (
	handlerBegins   = `Handler(next http.Handler) http.Handler {`
	handlerInstalls = handlerBegins + `
	for i := range Installed {
		next = Installed[len(Installed)-1-i](next)
	}`
)

func main() {
	log.SetFlags(0)
	ok, err := run()
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

func run() (ok bool, err error) {
	library, err := filepath.Abs(".")
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(filepath.Join(library, "chimw")); err != nil {
		return false, errors.New("suites: run it at the top of the repository")
	}
	dir, err := os.MkdirTemp("", "suites-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)

	ok = true
	var all comparison
	for i, s := range suites {
		c, err := s.compare(library, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return false, fmt.Errorf("suites: %s: %w", s.module, err)
		}
		fmt.Printf("%s: %s\n", s.module, c)
		all.add(c)
	}
	fmt.Printf("suites: %s\n", all)
	return all.lost == 0, nil
}
