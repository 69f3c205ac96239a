package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// outside stands in for the world in a demonstration: a real server on a free port of this
// machine, with a receiver of webhooks and a CRM that knows everybody but "nobody".
type outside struct {
	srv *http.Server
	url string
}

func startOutside() (*outside, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Post("/webhook", func(w http.ResponseWriter, r *http.Request) {
		takeNote(w, r, http.StatusNoContent)
	})
	r.Put("/crm/{id}", func(w http.ResponseWriter, r *http.Request) {
		if chi.URLParam(r, "id") == "nobody" {
			takeNote(w, r, http.StatusNotFound)
			return
		}
		takeNote(w, r, http.StatusOK)
	})
	o := &outside{&http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}, "http://" + ln.Addr().String()}
	go func() { _ = o.srv.Serve(ln) }() // ends with close
	return o, nil
}

func takeNote(w http.ResponseWriter, r *http.Request, status int) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	slog.InfoContext(r.Context(), "the world outside was told", "method", r.Method, "path", r.URL.Path, "body", string(body), "answer", status)
	w.WriteHeader(status)
}

func (o *outside) close() { _ = o.srv.Close() }

// use has cfg talk to it, where nothing else is set.
func (o *outside) use(cfg *config) {
	if cfg.webhook == "" {
		cfg.webhook = o.url + "/webhook"
	}
	if cfg.crm == "" {
		cfg.crm = o.url + "/crm"
	}
}
