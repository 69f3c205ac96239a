package chimw_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// A server that is started in another way than by chimw, here by httptest, is attached
// first.
func ExampleAttach() {
	runner := bgtasks.New(bgtasks.Config{})
	arrived := make(chan string, 1)
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "after", func(context.Context) error {
			fmt.Println("the client has:", <-arrived) // it does not wait for this task
			return nil
		})
		render.PlainText(w, r, "hello")
	})
	server := httptest.NewUnstartedServer(r)
	chimw.Attach(server.Config)
	server.Start()
	defer server.Close()

	res, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	arrived <- string(body)
	_ = runner.Wait(context.Background())
	// Output: the client has: hello
}
