// Command quickstart answers an order at once and does the rest afterwards.
package main

import (
	"context"
	"log"
	"log/slog"
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
	slog.Info("try it: curl -i -X POST http://localhost:8080/orders/42")
	if err := chimw.ListenAndServe(ctx, &http.Server{Addr: "localhost:8080", Handler: r}, runner, 10*time.Second); err != nil {
		log.Fatal(err)
	}
}

func createOrder(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	for _, name := range []string{"update inventory", "send confirmation", "notify fulfilment"} {
		if err := bgtasks.Add(r.Context(), name, bgtasks.Bind(step, name+" of order "+id)); err != nil {
			http.Error(w, "too busy, try again", http.StatusServiceUnavailable)
			return
		}
	}
	render.Status(r, http.StatusCreated)
	render.JSON(w, r, map[string]string{"order": id, "status": "created"})
	slog.Info("answered", "order", id)
}

func step(_ context.Context, what string) error {
	time.Sleep(time.Second) // the work
	slog.Info("done: " + what)
	return nil
}
