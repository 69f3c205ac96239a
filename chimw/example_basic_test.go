package chimw_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

type note struct{ level, message string }

type mail struct{ to, text string }

// itemShop answers at once; what it did is written down and mailed afterwards.
type itemShop struct {
	log  []note
	sent []mail
}

func (s *itemShop) writeLog(_ context.Context, n note) error {
	s.log = append(s.log, n)
	return nil
}

func (s *itemShop) sendNotification(_ context.Context, m mail) error {
	s.sent = append(s.sent, m)
	return nil
}

func (s *itemShop) create(w http.ResponseWriter, r *http.Request) {
	var item struct{ Name string }
	if err := render.DecodeJSON(r.Body, &item); err != nil {
		http.Error(w, "not an item", http.StatusBadRequest)
		return
	}
	_ = bgtasks.Add(r.Context(), "log", bgtasks.Bind(s.writeLog, note{"info", "item 1 created"}))
	_ = bgtasks.Add(r.Context(), "notify", bgtasks.Bind(s.sendNotification, mail{"admin@example.com", "new item: " + item.Name}))
	render.JSON(w, r, map[string]any{"item_id": 1, "status": "created"})
}

func (s *itemShop) remove(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "log", bgtasks.Bind(s.writeLog, note{"info", "item " + chi.URLParam(r, "id") + " deleted"}))
	render.JSON(w, r, map[string]string{"message": "item deleted"})
}

// Bind fixes a task's argument when the task is added, as add_task(func, arg) does.
func Example_basicTasks() {
	runner, shop := bgtasks.New(bgtasks.Config{}), &itemShop{}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/items", shop.create)
	r.Delete("/items/{id}", shop.remove)

	for _, req := range []*http.Request{
		httptest.NewRequest(http.MethodPost, "/items", strings.NewReader(`{"name": "lamp"}`)),
		httptest.NewRequest(http.MethodDelete, "/items/1", nil),
	} {
		res := httptest.NewRecorder()
		r.ServeHTTP(res, req)
		fmt.Print(res.Body)
		_ = runner.Wait(context.Background())
	}
	fmt.Println(shop.log)
	fmt.Println(shop.sent)
	// Output:
	// {"item_id":1,"status":"created"}
	// {"message":"item deleted"}
	// [{info item 1 created} {info item 1 deleted}]
	// [{admin@example.com new item: lamp}]
}
