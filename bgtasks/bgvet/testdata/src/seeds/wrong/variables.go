package wrong

import (
	"bytes"
	"context"
	"encoding/json"
	"html/template"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong21: category 4, easy.
// Both tasks send what the variable is at the end: the customer's mail goes to the shop.
func (s *Server) Wrong21CreateOrder(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	msg := Mail{To: order.Email, Subject: "Thank you for your order"}
	if err := bgtasks.Add(r.Context(), "mail customer", func(ctx context.Context) error {
		return s.mail.Send(ctx, msg) // WRONG(4) in Wrong21
	}); err != nil {
		busy(w)
		return
	}
	msg = Mail{To: "shop@example.com", Subject: "New order"} // ALSO(4) in Wrong21
	if err := bgtasks.Add(r.Context(), "mail shop", bgtasks.Bind(s.mail.Send, msg)); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, order)
}

// Wrong22: category 4, easy.
// The loop assigns to a variable declared outside it: every task reserves the last item.
func (s *Server) Wrong22Reserve(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var item Item
	for _, item = range order.Items { // ALSO(4) in Wrong22
		if err := bgtasks.Add(r.Context(), "reserve", func(ctx context.Context) error {
			return s.store.Reserve(ctx, item) // WRONG(4) in Wrong22
		}); err != nil {
			busy(w)
			return
		}
	}
	render.NoContent(w, r)
}

type event struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Wrong23: category 4, medium.
// One variable for all events of the stream, changed through its address.
func (s *Server) Wrong23Events(w http.ResponseWriter, r *http.Request) {
	var ev event
	n := 0
	for dec := json.NewDecoder(r.Body); dec.More(); n++ {
		if err := dec.Decode(&ev); err != nil { // ALSO(4) in Wrong23
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		err := s.later(r.Context(), "event", func(ctx context.Context) error {
			return s.store.SetStatus(ctx, ev.ID, ev.Kind) // WRONG(4) in Wrong23
		})
		if err != nil {
			busy(w)
			return
		}
	}
	render.JSON(w, r, map[string]int{"accepted": n})
}

// Wrong24: category 4, medium.
// The batch is nil (or the next one) by the time that the task looks.
func (s *Server) Wrong24Index(w http.ResponseWriter, r *http.Request) {
	ids := r.URL.Query()["id"]
	var batch []string
	for i, id := range ids {
		batch = append(batch, id)
		if len(batch) < 100 && i < len(ids)-1 {
			continue
		}
		index := func(ctx context.Context) error {
			return s.post(ctx, "http://search/index", batch) // WRONG(4) in Wrong24
		}
		if err := bgtasks.Add(r.Context(), "index", index); err != nil {
			busy(w)
			return
		}
		batch = nil // ALSO(4) in Wrong24
	}
	w.WriteHeader(http.StatusAccepted)
}

var letters = template.Must(template.New("customer").Parse(`{{define "shop"}}{{.ID}}{{end}}Dear {{.Email}}`))

// Wrong25: category 4, subtle.
// The buffer is emptied and filled again after Add; no assignment is to be seen.
func (s *Server) Wrong25Letters(w http.ResponseWriter, r *http.Request) {
	order, err := s.store.Order(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	var buf bytes.Buffer
	if err := letters.ExecuteTemplate(&buf, "customer", order); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := bgtasks.Add(r.Context(), "letter", func(ctx context.Context) error {
		return s.mail.Send(ctx, Mail{To: order.Email, Body: buf.String()}) // WRONG(4) in Wrong25
	}); err != nil {
		busy(w)
		return
	}
	buf.Reset() // ALSO(4) in Wrong25
	if err := letters.ExecuteTemplate(&buf, "shop", order); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	render.HTML(w, r, buf.String())
}

type delivery struct {
	mail    Mailer
	To      string
	Subject string
}

func (d *delivery) send(ctx context.Context) error {
	return d.mail.Send(ctx, Mail{To: d.To, Subject: d.Subject})
}

// Wrong26: category 4, subtle.
// A method value with a pointer receiver holds &d, so both tasks send to the second address.
func (s *Server) Wrong26Transfer(w http.ResponseWriter, r *http.Request) {
	from, to := chi.URLParam(r, "from"), chi.URLParam(r, "to")
	d := delivery{mail: s.mail, To: from, Subject: "Order handed over"}
	if err := bgtasks.Add(r.Context(), "mail sender", d.send); err != nil { // WRONG(4) in Wrong26
		busy(w)
		return
	}
	d.To = to // ALSO(4) in Wrong26
	if err := bgtasks.Add(r.Context(), "mail receiver", d.send); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}
