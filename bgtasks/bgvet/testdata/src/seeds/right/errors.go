package right

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	bg "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Right28: near category 5, easy.
// The errors of all Adds are gathered, and looked at after the loop.
func (s *Server) Right28Invite(w http.ResponseWriter, r *http.Request) {
	var errs error
	for _, to := range r.URL.Query()["email"] {
		errs = errors.Join(errs, bg.Add(r.Context(), "invite", bg.Bind(s.mail.Send, Mail{To: to, Subject: "Join us"})))
	}
	if errs != nil {
		s.log.ErrorContext(r.Context(), "invite", "err", errs)
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// registry has an Add whose result nobody needs.
type registry struct {
	mu    sync.Mutex
	names map[string]bg.Func
}

func (g *registry) Add(ctx context.Context, name string, fn bg.Func) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names[name] = fn
	return nil
}

// Right29: near category 5, medium.
// Other things with an Add; that of the library is dropped on purpose.
func (s *Server) Right29Count(w http.ResponseWriter, r *http.Request) {
	var (
		bgtasks = &registry{names: map[string]bg.Func{}}
		hits    atomic.Int64
		wg      sync.WaitGroup
	)
	hits.Add(1)
	wg.Add(1)
	wg.Done()
	wg.Wait()
	w.Header().Add("X-Hits", "1")
	bgtasks.Add(r.Context(), "nothing", func(context.Context) error { return nil })
	_ = bg.Add(r.Context(), "audit", bg.Bind(s.store.Audit, "hit"))
	render.JSON(w, r, hits.Load())
}

// handler is a handler that may fail.
type handler func(w http.ResponseWriter, r *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch err := h(w, r); {
	case errors.Is(err, bg.ErrFull), errors.Is(err, bg.ErrShutdown):
		busy(w)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

var _ http.Handler = handler((*Server)(nil).Right30Publish)

// Right30: near category 5, medium.
// The error goes to the adapter around the handler, once by way of a named result.
func (s *Server) Right30Publish(w http.ResponseWriter, r *http.Request) (err error) {
	id := chi.URLParam(r, "id")
	defer func() {
		if err == nil {
			render.NoContent(w, r)
		}
	}()
	if err = s.store.SetStatus(r.Context(), id, "published"); err != nil {
		return err
	}
	err = s.later(r.Context(), "reindex", func(ctx context.Context) error {
		return s.reindex(ctx, id)
	})
	if err != nil {
		return err
	}
	return bg.Add(r.Context(), "audit", bg.Bind(s.store.Audit, "published "+id), bg.Needs("reindex"))
}
