package wrong

import (
	"context"
	"net/http"
	"time"

	tasks "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong15: category 3, easy.
// The task ignores its own context and takes the request's, which has been cancelled.
func (s *Server) Wrong15CreateOrder(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if order.ID, err = s.store.SaveOrder(ctx, order); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	confirmation := Mail{To: order.Email, Subject: "Thank you"}
	if err := tasks.Add(ctx, "confirm", func(_ context.Context) error {
		return s.mail.Send(ctx, confirmation) // WRONG(3) in Wrong15
	}); err != nil {
		s.log.ErrorContext(ctx, "no confirmation", "err", err)
	}
	render.JSON(w, r, order)
}

// Wrong16: category 3, easy.
// context.Background() knows neither the task's timeout nor the shutdown's deadline.
func (s *Server) Wrong16Reindex(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	err := tasks.Add(r.Context(), "reindex", func(ctx context.Context) error {
		return s.reindex(context.Background(), id) // WRONG(3) in Wrong16
	}, tasks.Timeout(5*time.Second))
	if err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// traced logs how long a task took.
func (s *Server) traced(next tasks.Func) tasks.Func {
	return func(ctx context.Context) error {
		start := time.Now()
		err := next(ctx)
		s.log.InfoContext(ctx, "task", "took", time.Since(start), "err", err)
		return err
	}
}

// Wrong17: category 3, medium.
// The timeout is derived from the handler's context; the task is wrapped.
func (s *Server) Wrong17Notify(w http.ResponseWriter, r *http.Request) {
	reqCtx := context.WithValue(r.Context(), tenantKey{}, chi.URLParam(r, "tenant"))
	if err := tasks.Add(reqCtx, "notify", s.traced(func(ctx context.Context) error {
		sendCtx, cancel := context.WithTimeout(reqCtx, 5*time.Second) // WRONG(3) in Wrong17
		defer cancel()
		return s.post(sendCtx, "http://hooks/notify", "changed")
	})); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type tenantKey struct{}

// Wrong18: category 3, medium.
// WithoutCancel on the request's context has no cancellation, but neither the task's timeout nor
// the shutdown's deadline.
func (s *Server) Wrong18Archive(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	detached := context.WithoutCancel(r.Context()) // ALSO(3) in Wrong18
	archive := func(ctx context.Context) error {
		if err := s.store.SetStatus(detached, id, "archived"); err != nil { // WRONG(3) in Wrong18
			return err
		}
		return s.reindex(ctx, id)
	}
	if err := s.later(r.Context(), "archive", archive); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}

// Wrong19: category 3, subtle.
// The task adds its follow-up with the request's context, whose list is closed: ErrClosed.
func (s *Server) Wrong19Pay(w http.ResponseWriter, r *http.Request) {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	order, err := s.store.Order(ctx, id)
	if err != nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	err = tasks.Add(ctx, "capture payment", func(taskCtx context.Context) error {
		if err := s.post(taskCtx, "http://payments/capture", order); err != nil {
			return err
		}
		paid := Mail{To: order.Email, Subject: "Paid"}
		return tasks.Add(ctx, "mail", tasks.Bind(s.mail.Send, paid)) // WRONG(3) in Wrong19
	})
	if err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, order)
}

// priceJob is one change of a price, for a product and its variants.
type priceJob struct {
	ctx   context.Context
	store *Store
	lines []string
}

func (j priceJob) run(context.Context) error {
	for _, line := range j.lines {
		if err := j.store.Audit(j.ctx, line); err != nil { // WRONG(3) in Wrong20
			return err
		}
	}
	return nil
}

// Wrong20: category 3, subtle.
// A method value; the request's context is in a field of its receiver.
func (s *Server) Wrong20Prices(w http.ResponseWriter, r *http.Request) {
	job := priceJob{ctx: r.Context(), store: s.store} // ALSO(3) in Wrong20
	for _, sku := range r.URL.Query()["sku"] {
		job.lines = append(job.lines, "price of "+sku)
	}
	if err := s.later(r.Context(), "prices", job.run); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
