package chimw_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// The page, its JSON and its stream are at one address, which is best kept to oneself.
func ExampleInspector() {
	runner := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Group(func(r chi.Router) {
		r.Use(middleware.BasicAuth("tasks", map[string]string{"admin": "secret"}))
		r.Mount("/debug/tasks", chimw.Inspector(runner))
	})
	r.Group(func(r chi.Router) {
		r.Use(chimw.BackgroundTasks(runner))
		// the service's routes
	})

	req := httptest.NewRequest("GET", "/debug/tasks", nil)
	req.Header.Set("Accept", "application/json")
	res := httptest.NewRecorder()
	r.ServeHTTP(res, req)
	fmt.Println(res.Code, "without a password")

	req.SetBasicAuth("admin", "secret")
	res = httptest.NewRecorder()
	r.ServeHTTP(res, req)
	fmt.Println(res.Code, res.Header().Get("Content-Type"), json.Valid(res.Body.Bytes()))
	// Output:
	// 401 without a password
	// 200 application/json true
}
