package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strconv"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

type api struct {
	ledger *plan.Ledger
	runner *bgtasks.Runner
}

func (a *api) router() http.Handler {
	r := chi.NewRouter()
	r.Get("/stats", a.stats)
	r.Group(func(r chi.Router) {
		r.Use(middleware.RequestID, chimw.BackgroundTasks(a.runner))
		r.Get("/do/{id}", a.do)
		r.Post("/do/{id}", a.do)
		r.With(chimw.Uploads).Post("/upload/{id}", a.upload)
		r.Get("/websocket/{id}", a.websocket)
	})
	return r
}

// Stats is what the process says about itself.
type Stats struct {
	Goroutines int
	Pending    int64
	Tasks      bgtasks.Stats
}

func (a *api) stats(w http.ResponseWriter, _ *http.Request) {
	tasks := a.runner.Stats()
	_ = json.NewEncoder(w).Encode(Stats{runtime.NumGoroutine(), int64(tasks.Pending), tasks})
}

type connKey struct{}

func (a *api) exchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ledger: a.ledger, w: w, r: r, Request: plan.Parse(chi.URLParam(r, "id"), r.URL.Query())}
	if !x.Unwatched {
		x.conn, _ = r.Context().Value(connKey{}).(*watchedConn)
	}
	return x
}

// do adds the tasks, reads the request's body, which may never come, and answers.
func (a *api) do(w http.ResponseWriter, r *http.Request) {
	x := a.exchange(w, r)
	defer x.returned.Store(true)
	x.expect()
	if x.refused(x.add()) {
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		x.other(http.StatusBadRequest)
		return
	}
	x.answer()
}

func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	x := a.exchange(w, r)
	defer x.returned.Store(true)
	if err := r.ParseMultipartForm(1 << 10); err != nil || len(r.MultipartForm.File["file"]) == 0 {
		x.other(http.StatusBadRequest)
		return
	}
	x.expect()
	x.file, x.sum = r.MultipartForm.File["file"][0], r.FormValue("sum")
	if !x.refused(x.add()) {
		x.answer()
	}
}

// websocket adds the tasks and echoes until the client closes.
func (a *api) websocket(w http.ResponseWriter, r *http.Request) {
	x := a.exchange(w, r)
	defer x.returned.Store(true)
	x.conn = nil
	if x.refused(x.add()) {
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(context.WithoutCancel(r.Context()), kind, message) != nil {
			return
		}
	}
}

// expect has the connection look out for the end of the answer.
func (x *exchange) expect() {
	if x.conn == nil {
		return
	}
	end := plan.End(x.ID)
	if x.Chunked && x.r.ProtoMajor == 1 {
		end += "\r\n0\r\n\r\n"
	}
	x.conn.expect(x.ID, end)
}

func (x *exchange) refused(err error) bool {
	if err != nil {
		x.other(http.StatusServiceUnavailable)
	}
	return err != nil
}

// other answers without a body.
func (x *exchange) other(status int) {
	if x.conn != nil {
		x.conn.forget(x.ID)
	}
	x.w.Header().Set("X-Id", x.ID)
	x.w.WriteHeader(status)
}

func (x *exchange) answer() {
	switch x.End {
	case "panic":
		panic(errAsked)
	case "abort":
		panic(http.ErrAbortHandler)
	}
	x.w.Header().Set("X-Id", x.ID)
	x.w.Header().Set("Content-Type", "text/plain")
	if !x.Chunked {
		x.w.Header().Set("Content-Length", strconv.Itoa(x.Length()))
	}
	x.w.WriteHeader(x.Status)
	if x.WriteLines(x.w) != nil {
		return
	}
	if x.Chunked || x.r.ProtoMajor == 2 { // so that the end is in one chunk, or frame
		_ = http.NewResponseController(x.w).Flush()
	}
	_, _ = io.WriteString(x.w, plan.End(x.ID))
}
