package chimw_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// newMailApp is what is tested; send is what a test replaces.
func newMailApp(runner *bgtasks.Runner, send func(context.Context, string) error) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/register/{email}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "welcome", bgtasks.Bind(send, chi.URLParam(r, "email")))
		render.JSON(w, r, map[string]string{"status": "success"})
	})
	return r
}

// No server is needed, nor a sleep: Wait returns when the tasks have ended, and what they
// did can be looked at without a lock.
func Example_testing() {
	var sent []string
	runner := bgtasks.New(bgtasks.Config{})
	app := newMailApp(runner, func(_ context.Context, to string) error {
		sent = append(sent, to)
		return nil
	})

	res := httptest.NewRecorder()
	app.ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/register/ann@example.com", nil))
	fmt.Print(res.Code, " ", res.Body)
	if err := runner.Wait(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println("sent:", sent)
	// Output:
	// 200 {"status":"success"}
	// sent: [ann@example.com]
}
