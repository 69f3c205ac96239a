package chimw_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

func processData(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "clean up", func(context.Context) error {
		fmt.Println("  cleaning up after", r.URL.Path)
		return nil
	}, bgtasks.When(bgtasks.Outcome.Failed))
	_ = bgtasks.Add(r.Context(), "process", func(context.Context) error {
		return errors.New("cannot process it")
	}, bgtasks.When(bgtasks.Outcome.OK))
	switch chi.URLParam(r, "how") {
	case "error":
		render.Status(r, http.StatusInternalServerError)
	case "panic":
		panic("no way on")
	}
	render.JSON(w, r, map[string]string{"resource": "r1"})
}

// A cleanup is added first and runs if the handler fails, be it by an answer or a panic.
// A task that fails is reported and changes no response.
func Example_errorHandling() {
	runner := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	runner.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Finished && e.Err != nil {
			fmt.Printf("  notify the admin: task %q of %s: %v\n", e.Info.Name, e.Info.Route, e.Err)
		}
	})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/data/{how}", processData)

	for _, how := range []string{"well", "error", "panic"} {
		fmt.Println(how)
		answer := serveData(r, "/data/"+how)
		_ = runner.Wait(context.Background())
		fmt.Println("  " + answer)
	}
	// Output:
	// well
	//   notify the admin: task "process" of /data/{how}: cannot process it
	//   status 200
	// error
	//   cleaning up after /data/error
	//   status 500
	// panic
	//   cleaning up after /data/panic
	//   no answer
}

// serveData survives a handler's panic as net/http does.
func serveData(h http.Handler, path string) (answer string) {
	defer func() {
		if recover() != nil {
			answer = "no answer"
		}
	}()
	res := httptest.NewRecorder()
	h.ServeHTTP(res, httptest.NewRequest(http.MethodPost, path, nil))
	return fmt.Sprint("status ", res.Code)
}
