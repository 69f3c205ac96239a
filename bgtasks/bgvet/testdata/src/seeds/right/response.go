package right

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Right01: near category 1, easy.
// The w of the task is another one: a CSV writer of its own.
func (s *Server) Right01Export(w http.ResponseWriter, r *http.Request) {
	order, err := s.store.Order(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if err := bgtasks.Add(r.Context(), "export", func(ctx context.Context) error {
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		for _, item := range order.Items {
			if err := w.Write([]string{item.SKU, strconv.Itoa(item.Qty)}); err != nil {
				return err
			}
		}
		w.Flush()
		if err := w.Error(); err != nil {
			return err
		}
		return s.blobs.Put(ctx, fmt.Sprintf("exports/%d.csv", order.ID), &out)
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Right02: near category 1, medium.
// The writer is used by a closure beside the task, which only the handler calls.
func (s *Server) Right02Cancel(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	fail := func(status int, err error) {
		s.log.Error("cancel", "order", id, "err", err)
		http.Error(w, http.StatusText(status), status)
	}
	failed := func(err error) error {
		s.log.Error("reindex", "order", id, "err", err)
		return fmt.Errorf("order %s: %w", id, err)
	}
	if err := s.store.SetStatus(r.Context(), id, "cancelled"); err != nil {
		fail(http.StatusInternalServerError, err)
		return
	}
	if err := bgtasks.Add(r.Context(), "reindex", func(ctx context.Context) error {
		if err := s.reindex(ctx, id); err != nil {
			return failed(err)
		}
		return nil
	}); err != nil {
		fail(http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("X-Order", id)
	w.WriteHeader(http.StatusNoContent)
}

func writeReport(w io.Writer, o Order) error {
	if _, err := fmt.Fprintf(w, "order %d: %d\n", o.ID, o.Total); err != nil {
		return err
	}
	for _, item := range o.Items {
		if _, err := fmt.Fprintf(w, "%4d %s\n", item.Qty, item.SKU); err != nil {
			return err
		}
	}
	return nil
}

// Right03: near category 1, medium.
// One helper writes the report to the response in the handler, and to a buffer in the task.
func (s *Server) Right03Report(w http.ResponseWriter, r *http.Request) {
	order, err := s.store.Order(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	archive := func(ctx context.Context) error {
		var buf bytes.Buffer
		if err := writeReport(&buf, order); err != nil {
			return err
		}
		return s.blobs.Put(ctx, "reports/"+strconv.FormatInt(order.ID, 10), &buf)
	}
	if err := bgtasks.Add(r.Context(), "archive report", archive, bgtasks.When(bgtasks.Outcome.OK)); err != nil {
		busy(w)
		return
	}
	if err := writeReport(w, order); err != nil {
		s.log.WarnContext(r.Context(), "client gone", "err", err)
	}
}

// page keeps what a handler writes.
type page struct {
	bytes.Buffer
	header http.Header
	status int
}

func (p *page) Header() http.Header    { return p.header }
func (p *page) WriteHeader(status int) { p.status = status }

type Pages struct {
	content http.Handler // a http.FileServer
	blobs   Blobs
}

// Right04: near category 1, subtle.
// The task serves a page to a http.ResponseWriter that it has made, with a request that it has made.
func (p *Pages) Right04Publish(w http.ResponseWriter, r *http.Request) {
	path := "/" + chi.URLParam(r, "page") + ".html"
	err := bgtasks.Add(r.Context(), "snapshot", func(ctx context.Context) error {
		kept := &page{header: http.Header{}, status: http.StatusOK}
		var w http.ResponseWriter = kept
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		p.content.ServeHTTP(w, r)
		if kept.status != http.StatusOK {
			return fmt.Errorf("snapshot of %s: status %d", path, kept.status)
		}
		return p.blobs.Put(ctx, "pages"+path, kept)
	})
	if err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}

// exchange is what the steps of a handler share.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	user  string
	start time.Time
}

func (e *exchange) deny() { http.Error(e.w, "not for "+e.user, http.StatusForbidden) }

// Right05: near category 1, subtle.
// The captured struct has the writer in it, and the request; the task uses neither.
func (s *Server) Right05Visit(w http.ResponseWriter, r *http.Request) {
	e := &exchange{w: w, r: r, user: chi.URLParam(r, "user"), start: time.Now()}
	if e.user == "guest" {
		e.deny()
		return
	}
	if err := s.later(r.Context(), "visit", func(ctx context.Context) error {
		return s.store.Audit(ctx, e.user+" was here at "+e.start.Format(time.RFC3339))
	}); err != nil {
		busy(e.w)
		return
	}
	render.PlainText(e.w, e.r, "hello "+e.user)
}

// Right06: near category 1, medium.
// What the task and its middleware need of the response has been read from it before.
func (s *Server) Right06Preview(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	w.Header().Set("X-Trace", "t-"+id)
	trace := w.Header().Get("X-Trace")
	traced := func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			s.log.InfoContext(ctx, "start", "trace", trace)
			return next(ctx)
		}
	}
	if err := bgtasks.Add(r.Context(), "preview", bgtasks.Bind(s.reindex, id), bgtasks.Middleware(traced)); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, render.M{"trace": trace})
}
