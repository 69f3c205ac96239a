package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// The page at /: rendered here, by html/template, which escapes everything; page.js only
// fetches, and writes text. There is no build step.

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page/*.html"))

// pagePolicy allows what this server serves and nothing else: no inline script or style either.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func pageRoutes(r chi.Router, a *api) {
	r.Get("/", a.page)
	r.Get("/recent", a.recent) // the part of the page that changes
	for _, name := range []string{"page.js", "card.js", "forms.js", "page.css", "icon.svg"} {
		r.Get("/static/"+name, func(w http.ResponseWriter, r *http.Request) {
			secure(w)
			http.ServeFileFS(w, r, pageFiles, "page/"+name)
		})
	}
}

// shown is what the templates are given.
type shown struct {
	Faults  bool
	Debug   bool
	RiverUI bool
	Steps   []string
	Items   []Item
	Orders  []Order
	Images  []Image
	Reports []Report
}

const latestShown = 10

func (a *api) page(w http.ResponseWriter, r *http.Request) { a.render(w, r, "index.html") }

func (a *api) recent(w http.ResponseWriter, r *http.Request) { a.render(w, r, "recent.html") }

func (a *api) render(w http.ResponseWriter, r *http.Request, name string) {
	data, err := a.shown(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	var page bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&page, name, data); err != nil {
		fail(w, r, err)
		return
	}
	secure(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if _, err := page.WriteTo(w); err != nil {
		slog.DebugContext(r.Context(), "page not sent", "error", err)
	}
}

func (a *api) shown(ctx context.Context) (shown, error) {
	s := shown{Faults: a.faults, Debug: a.debug.page != nil, RiverUI: a.riverUI != nil, Steps: stepNames}
	var errs [4]error
	s.Items, errs[0] = a.store.Items(ctx)
	s.Orders, errs[1] = a.store.OrdersWithSteps(ctx, latestShown)
	s.Images, errs[2] = a.store.Images(ctx, latestShown)
	s.Reports, errs[3] = a.store.Reports(ctx, latestShown)
	return s, errors.Join(errs[:]...)
}

func secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
}
