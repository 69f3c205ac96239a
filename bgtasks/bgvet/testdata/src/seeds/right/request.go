package right

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	bg "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Right07: near category 2, easy.
// Fields of the request that stay as they are.
func (s *Server) Right07Delete(w http.ResponseWriter, r *http.Request) {
	if err := s.store.SetStatus(r.Context(), chi.URLParam(r, "id"), "deleted"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = bg.Add(r.Context(), "audit", func(ctx context.Context) error {
		return s.store.Audit(ctx, fmt.Sprintf("%s %s %s%s", r.RemoteAddr, r.Method, r.Host, r.URL.Path))
	})
	w.WriteHeader(http.StatusNoContent)
}

// Right08: near category 2, easy.
// chi's URL parameters are the request's own, also through the captured request.
func (s *Server) Right08Ship(w http.ResponseWriter, r *http.Request) {
	if err := bg.Add(r.Context(), "ship", func(ctx context.Context) error {
		return s.store.SetStatus(ctx, chi.URLParam(r, "id"), "shipped")
	}); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}

// Right09: near category 2, easy.
// The body has been read before Add; the task reads the copy.
func (s *Server) Right09Webhook(w http.ResponseWriter, r *http.Request) {
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := bg.Add(r.Context(), "webhook", func(ctx context.Context) error {
		var o Order
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&o); err != nil {
			return err
		}
		_, err := s.store.SaveOrder(ctx, o)
		return err
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Right10: near category 2, medium.
// The r whose Body, Context and Form are used is the task's own, and so is the answer's Body.
func (s *Server) Right10Mirror(w http.ResponseWriter, r *http.Request) {
	order, err := decodeOrder(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	mirror := func(ctx context.Context) error {
		payload, err := json.Marshal(order)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://eu/mirror", bytes.NewReader(payload))
		if err != nil {
			return err
		}
		s.log.DebugContext(r.Context(), "mirror", "bytes", r.ContentLength)
		res, err := s.client.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if err := s.later(r.Context(), "mirror", mirror); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

type upload struct {
	Key   string
	Image *multipart.FileHeader
}

func (s *Server) putImage(ctx context.Context, u upload) error {
	file, err := u.Image.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	return s.blobs.Put(ctx, u.Key, file)
}

// Right11: near category 2, medium.
// Only file headers are kept; the task opens the files, which are there until it has ended.
func (s *Server) Right11Images(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, header := range r.MultipartForm.File["image"] {
		u := upload{Key: "images/" + header.Filename, Image: header}
		if err := bg.Add(r.Context(), "store image", bg.Bind(s.putImage, u)); err != nil {
			busy(w)
			return
		}
	}
	render.PlainText(w, r, "received")
}

func (s *Server) imageRoutes(runner *bg.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.With(chimw.Uploads).Post("/images", s.Right11Images)
	return r
}

// Right12: near category 2, subtle.
// The captured request whose body is sent is an outgoing one, made in the handler; the task
// gives it its own context.
func (s *Server) Right12Forward(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := http.NewRequest(http.MethodPost, "http://billing/events", bytes.NewReader(payload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	if err := bg.Add(r.Context(), "forward", func(ctx context.Context) error {
		res, err := s.client.Do(out.WithContext(ctx))
		if err != nil {
			return err
		}
		return res.Body.Close()
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// letter has a Body, and a Context, as a request does.
type letter struct {
	Body    string
	Form    map[string]string
	Request string
}

func (l letter) Context() string { return l.Form["context"] }

// Right13: near category 2, subtle.
// Headers are read through methods of the request that touch nothing else; Body, Form and
// Context are a letter's.
func (s *Server) Right13Contact(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	l := letter{
		Body:    r.PostFormValue("text"),
		Form:    map[string]string{"context": r.PostFormValue("context")},
		Request: r.Pattern,
	}
	if err := s.later(r.Context(), "contact", func(ctx context.Context) error {
		return s.mail.Send(ctx, Mail{
			To:      "desk@example.com",
			Subject: l.Context() + " " + l.Request + l.Form["context"],
			Body:    l.Body + "\n\n" + r.UserAgent() + " " + r.Referer() + " " + r.URL.Query().Get("lang") + r.Header.Get("Accept-Language"),
		})
	}); err != nil {
		busy(w)
		return
	}
	s.log.InfoContext(r.Context(), "contact", "took", time.Since(start))
	render.NoContent(w, r)
}
