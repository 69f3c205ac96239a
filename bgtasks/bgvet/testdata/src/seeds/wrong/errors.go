package wrong

import (
	"context"
	"net/http"

	bg "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong27: category 5, easy.
// The handler answers 200 although the mail may have been refused.
func (s *Server) Wrong27Invite(w http.ResponseWriter, r *http.Request) {
	invitation := Mail{To: r.URL.Query().Get("email"), Subject: "Join us"}
	bg.Add(r.Context(), "invite", bg.Bind(s.mail.Send, invitation)) // WRONG(5) in Wrong27
	render.JSON(w, r, map[string]string{"invited": invitation.To})
}

// reserveAll is called by handlers.
func (s *Server) reserveAll(ctx context.Context, items []Item) {
	for _, item := range items {
		if item.Qty == 0 {
			continue
		}
		bg.Add(ctx, "reserve "+item.SKU, func(ctx context.Context) error { // WRONG(5) in Wrong28
			return s.store.Reserve(ctx, item)
		}, bg.When(bg.Outcome.OK))
	}
}

// Wrong28: category 5, medium.
// In a loop of a helper without a result.
func (s *Server) Wrong28Reserve(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.reserveAll(r.Context(), order.Items)
	render.JSON(w, r, order)
}

// Wrong29: category 5, subtle.
// A deferred Add has nobody to give its error to.
func (s *Server) Wrong29Status(w http.ResponseWriter, r *http.Request) {
	id, status := chi.URLParam(r, "id"), chi.URLParam(r, "status")
	defer bg.Add(r.Context(), "audit", bg.Bind(s.store.Audit, id+" is to be "+status)) // WRONG(5) in Wrong29
	if err := s.store.SetStatus(r.Context(), id, status); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Wrong30: category 5, subtle.
// The helper hands on the error of Add, and the handler drops it.
func (s *Server) Wrong30Publish(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	if err := s.store.SetStatus(r.Context(), id, "published"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.later(r.Context(), "reindex", func(ctx context.Context) error { // WRONG(5) in Wrong30
		return s.reindex(ctx, id)
	})
	render.NoContent(w, r)
}
