package wrong

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong01: category 1, easy.
// The task encodes its result to the response, which has been sent by then.
func (s *Server) Wrong01GetOrder(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	w.Header().Set("Content-Type", "application/json")
	err := bgtasks.Add(r.Context(), "load order", func(ctx context.Context) error {
		order, err := s.store.Order(ctx, id)
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(order) // WRONG(1) in Wrong01
	})
	if err != nil {
		busy(w)
	}
}

// Wrong02: category 1, easy.
// render.JSON with the handler's writer, after the response.
func (s *Server) Wrong02CreateOrder(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := bgtasks.Add(r.Context(), "save order", func(ctx context.Context) error {
		id, err := s.store.SaveOrder(ctx, order)
		if err != nil {
			return err
		}
		render.JSON(w, r, map[string]int64{"id": id}) // WRONG(1) in Wrong02
		return nil
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Wrong03: category 1, medium.
// Through a variable; the writer is wrapped in a ResponseController inside the task.
func (s *Server) Wrong03Export(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	finish := func(ctx context.Context) error {
		if err := s.store.SetStatus(ctx, id, "exported"); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush() // WRONG(1) in Wrong03
	}
	fmt.Fprintf(w, "order;%s\n", id)
	if err := bgtasks.Add(r.Context(), "finish export", finish); err != nil {
		s.log.WarnContext(r.Context(), "export not finished", "err", err)
	}
}

// progress reports to the client how far an import has got.
type progress struct {
	s    *Server
	w    http.ResponseWriter
	done int
}

func (p *progress) step(n int) {
	p.done += n
	fmt.Fprintf(p.w, "%d\n", p.done)
}

func (p *progress) finish(ctx context.Context) error {
	if err := p.s.store.Audit(ctx, "import finished"); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.w, "finished") // WRONG(1) in Wrong04
	return err
}

// Wrong04: category 1, medium.
// A method value, whose receiver has the writer in a field.
func (s *Server) Wrong04Import(w http.ResponseWriter, r *http.Request) {
	p := &progress{s: s, w: w}
	for range 3 {
		p.step(100)
	}
	if err := bgtasks.Add(r.Context(), "finish import", p.finish); err != nil { // ALSO(1) in Wrong04
		s.log.ErrorContext(r.Context(), "import not finished", "err", err)
	}
}

type receipt struct {
	Order Order
	Out   http.ResponseWriter
}

func (s *Server) sendReceipt(ctx context.Context, rc receipt) error {
	if err := s.mail.Send(ctx, Mail{To: rc.Order.Email, Subject: "Your receipt"}); err != nil {
		return err
	}
	rc.Out.WriteHeader(http.StatusNoContent) // WRONG(1) in Wrong05
	return nil
}

// Wrong05: category 1, subtle.
// The writer reaches the task in a field of the argument, through a generic helper that calls Bind.
func (s *Server) Wrong05Receipt(w http.ResponseWriter, r *http.Request) {
	order, err := s.store.Order(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if err := enqueue(r.Context(), "receipt", s.sendReceipt, receipt{Order: order, Out: w}); err != nil { // ALSO(1) in Wrong05
		busy(w)
	}
}

// Wrong06: category 1, subtle.
// The task calls a closure of the handler that answers through the writer; the handler's own
// call of it is right.
func (s *Server) Wrong06Cancel(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	fail := func(status int, err error) {
		s.log.Error("cancel", "order", id, "err", err)
		http.Error(w, http.StatusText(status), status) // ALSO(1) in Wrong06
	}
	if err := s.store.SetStatus(r.Context(), id, "cancelled"); err != nil {
		fail(http.StatusInternalServerError, err)
		return
	}
	if err := bgtasks.Add(r.Context(), "reindex", func(ctx context.Context) error {
		if err := s.reindex(ctx, id); err != nil {
			fail(http.StatusBadGateway, err) // WRONG(1) in Wrong06
			return err
		}
		return nil
	}); err != nil {
		fail(http.StatusServiceUnavailable, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Wrong07: category 1, subtle.
// Not the task but the middleware that is given with it writes to the response.
func (s *Server) Wrong07Refund(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	explain := func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			err := next(ctx)
			if err != nil {
				w.Header().Set("X-Refund", "failed") // WRONG(1) in Wrong07
			}
			return err
		}
	}
	if err := bgtasks.Add(r.Context(), "refund", func(ctx context.Context) error {
		return s.store.SetStatus(ctx, id, "refunded")
	}, bgtasks.Middleware(explain)); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
