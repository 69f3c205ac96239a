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

// The middleware goes in front of the handlers that add tasks. A task reads URL parameters
// through its context.
func ExampleBackgroundTasks() {
	runner := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	var mails []string
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		err := bgtasks.Add(r.Context(), "send mail", func(ctx context.Context) error {
			mails = append(mails, "order "+chi.URLParamFromCtx(ctx, "id")+" is on its way")
			return nil
		})
		if err != nil {
			http.Error(w, "too busy", http.StatusServiceUnavailable)
			return
		}
		render.Status(r, http.StatusCreated)
		render.PlainText(w, r, "thank you")
	})

	res := httptest.NewRecorder()
	r.ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/orders/42", nil))
	fmt.Println(res.Code, res.Body)
	if err := runner.Wait(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(mails)
	// Output:
	// 201 thank you
	// [order 42 is on its way]
}
