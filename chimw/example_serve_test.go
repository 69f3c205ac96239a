package chimw_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Serve returns when the requests under way have been answered and their tasks have run.
// In a program the context comes from signal.NotifyContext.
func ExampleServe() {
	ctx, stop := context.WithCancel(context.Background())
	runner := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "last words", func(context.Context) error {
			fmt.Println("the task has run")
			return nil
		})
		stop() // as if the process were told to end, in the middle of a request
		render.PlainText(w, r, "hello")
	})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		if res, err := http.Get("http://" + listener.Addr().String()); err == nil {
			_ = res.Body.Close()
		}
	}()
	err = chimw.Serve(ctx, &http.Server{Handler: r}, listener, runner, 10*time.Second)
	fmt.Println("error:", err)
	// Output:
	// the task has run
	// error: <nil>
}
