package right

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Right21: near category 4, easy.
// The variable is changed several times, all of them before Add.
func (s *Server) Right21CreateOrder(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	order.Status = "new"
	subject := "Thank you"
	if order.Total > 1000 {
		subject += " very much"
	}
	for _, item := range order.Items {
		order.Total += item.Qty
	}
	if order.ID, err = s.store.SaveOrder(r.Context(), order); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := bgtasks.Add(r.Context(), "confirm", func(ctx context.Context) error {
		return s.mail.Send(ctx, Mail{To: order.Email, Subject: subject, Body: fmt.Sprint(order.Total)})
	}); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, order)
}

// Right22: near category 4, medium.
// Each iteration has its own i and its own item; i++ is of the next.
func (s *Server) Right22Reserve(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for i := 0; i < len(order.Items); i++ {
		if err := bgtasks.Add(r.Context(), fmt.Sprint("reserve ", i), func(ctx context.Context) error {
			return s.store.Reserve(ctx, order.Items[i])
		}); err != nil {
			busy(w)
			return
		}
	}
	for _, item := range order.Items {
		if err := bgtasks.Add(r.Context(), "audit", func(ctx context.Context) error {
			return s.store.Audit(ctx, item.SKU)
		}); err != nil {
			busy(w)
			return
		}
	}
	render.NoContent(w, r)
}

// Right23: near category 4, easy.
// Bind has copied the mail before it is changed.
func (s *Server) Right23Mails(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	msg := Mail{To: order.Email, Subject: "Thank you for your order"}
	if err := bgtasks.Add(r.Context(), "mail customer", bgtasks.Bind(s.mail.Send, msg)); err != nil {
		busy(w)
		return
	}
	msg.To, msg.Subject = "shop@example.com", "New order"
	if err := bgtasks.Add(r.Context(), "mail shop", bgtasks.Bind(s.mail.Send, msg)); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, order)
}

type delivery struct {
	mail    Mailer
	To      string
	Subject string
}

func (d delivery) send(ctx context.Context) error {
	return d.mail.Send(ctx, Mail{To: d.To, Subject: d.Subject})
}

// Right24: near category 4, subtle.
// A method value with a value receiver has copied it.
func (s *Server) Right24Transfer(w http.ResponseWriter, r *http.Request) {
	from, to := chi.URLParam(r, "from"), chi.URLParam(r, "to")
	d := delivery{mail: s.mail, To: from, Subject: "Order handed over"}
	if err := bgtasks.Add(r.Context(), "mail sender", d.send); err != nil {
		busy(w)
		return
	}
	d.To = to
	if err := bgtasks.Add(r.Context(), "mail receiver", d.send); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}

// Right25: near category 4, subtle.
// The changes further down are on a way that does not come from the Add.
func (s *Server) Right25Resize(w http.ResponseWriter, r *http.Request) {
	id, size := chi.URLParam(r, "id"), "large"
	if r.Header.Get("Prefer") == "respond-async" {
		if err := bgtasks.Add(r.Context(), "resize", func(ctx context.Context) error {
			return s.post(ctx, "http://images/resize", id+" "+size)
		}); err != nil {
			busy(w)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	size = "small"
	id = strings.ToLower(id)
	if err := s.post(r.Context(), "http://images/resize", id+" "+size); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Right26: near category 4, medium.
// The task itself changes what it has captured, to go on where its last attempt has failed;
// after Add the handler changes variables of the same names.
func (s *Server) Right26Newsletter(w http.ResponseWriter, r *http.Request) {
	to, sent := r.URL.Query()["to"], 0
	if err := s.later(r.Context(), "newsletter", func(ctx context.Context) error {
		for ; sent < len(to); sent++ {
			if err := s.mail.Send(ctx, Mail{To: to[sent], Subject: "News"}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		busy(w)
		return
	}
	type count struct{ Domain string }
	domains := map[count]int{}
	for _, to := range r.URL.Query()["to"] {
		sent := strings.Index(to, "@")
		sent++
		to = to[sent:]
		domains[count{to}]++
	}
	render.JSON(w, r, map[string]int{"domains": len(domains)})
}

// each adds one task for each value.
func each[T any](ctx context.Context, name string, values []T, fn func(context.Context, T) error) error {
	var batch []T
	for _, v := range values {
		batch = append(batch, v)
		if len(batch) < 10 {
			continue
		}
		if err := addBatch(ctx, name, batch, fn); err != nil {
			return err
		}
		batch = nil
	}
	return addBatch(ctx, name, batch, fn)
}

func addBatch[T any](ctx context.Context, name string, batch []T, fn func(context.Context, T) error) error {
	return bgtasks.Add(ctx, name, func(ctx context.Context) error {
		for _, v := range batch {
			if err := fn(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// Right27: near category 4, subtle.
// The batch that is captured is a parameter, and only the caller's variable of that name changes.
func (s *Server) Right27Stock(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := each(r.Context(), "stock", order.Items, s.store.Reserve); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}
