// Command quickstart answers an order at once and sends the mail afterwards. It is the first
// program of the README.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	runner := bgtasks.New(bgtasks.Config{})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/orders/{id}", createOrder)
	fmt.Println("try it: curl -i -X POST http://localhost:8080/orders/42")
	srv := &http.Server{Addr: "localhost:8080", Handler: r}
	if err := chimw.ListenAndServe(ctx, srv, runner, 10*time.Second); err != nil {
		log.Fatal(err) // names the tasks that did not finish
	}
}

func createOrder(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	if err := bgtasks.Add(r.Context(), "send mail", bgtasks.Bind(sendMail, id)); err != nil {
		http.Error(w, "too busy, try again", http.StatusServiceUnavailable)
		return
	}
	render.JSON(w, r, map[string]string{"order": id, "status": "created"}) // sent before the task starts
}

func sendMail(_ context.Context, order string) error {
	time.Sleep(2 * time.Second) // the mail server takes its time
	fmt.Println("mail sent: thank you for order", order)
	return nil
}
