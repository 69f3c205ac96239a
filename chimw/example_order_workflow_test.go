package chimw_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

type order struct {
	CustomerID string
	Email      string
	Items      []string
}

func validateOrder(_ context.Context, o order) error {
	if o.CustomerID == "" {
		return errors.New("no customer")
	}
	fmt.Println("1: valid")
	return nil
}

func updateInventory(_ context.Context, o order) error {
	fmt.Println("2: taken from the shelf:", strings.Join(o.Items, ", "))
	return nil
}

func sendConfirmation(_ context.Context, o order) error {
	fmt.Println("3: confirmed to", o.Email)
	return nil
}

func notifyFulfilment(_ context.Context, o order) error {
	fmt.Println("4: to be shipped:", len(o.Items))
	return nil
}

func createOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := render.DecodeJSON(r.Body, &o); err != nil {
		http.Error(w, "not an order", http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	if err := errors.Join(
		bgtasks.Add(ctx, "validate", bgtasks.Bind(validateOrder, o), bgtasks.When(bgtasks.Outcome.OK)), // not after a 503
		bgtasks.Add(ctx, "inventory", bgtasks.Bind(updateInventory, o), bgtasks.Needs("validate")),
		bgtasks.Add(ctx, "confirm", bgtasks.Bind(sendConfirmation, o), bgtasks.Needs("inventory")),
		bgtasks.Add(ctx, "fulfil", bgtasks.Bind(notifyFulfilment, o), bgtasks.Needs("inventory")),
	); err != nil {
		http.Error(w, "too busy", http.StatusServiceUnavailable)
		return
	}
	render.Status(r, http.StatusCreated)
	render.JSON(w, r, map[string]string{"status": "created"})
}

// Four steps in order. Each names those that it cannot do without, so that an order which
// turns out to be invalid goes no further.
func Example_orderWorkflow() {
	runner := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	runner.Observe(func(e bgtasks.Event) {
		if e.Kind == bgtasks.Skipped {
			fmt.Println("skipped:", e.Info.Name)
		}
	})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/orders", createOrder)

	for _, body := range []string{
		`{"CustomerID": "c1", "Email": "ann@example.com", "Items": ["lamp", "desk"]}`,
		`{"Items": ["chair"]}`,
	} {
		res := httptest.NewRecorder()
		r.ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(body)))
		_ = runner.Wait(context.Background())
		fmt.Println("status", res.Code)
	}
	// Output:
	// 1: valid
	// 2: taken from the shelf: lamp, desk
	// 3: confirmed to ann@example.com
	// 4: to be shipped: 2
	// status 201
	// skipped: inventory
	// skipped: confirm
	// skipped: fulfil
	// status 201
}
