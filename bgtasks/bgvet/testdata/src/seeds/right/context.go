package right

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	tasks "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

// Right14: near category 3, easy.
// The ctx of the task shadows the handler's, and its timeout is derived from that.
func (s *Server) Right14Reindex(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	order, err := s.store.Order(ctx, chi.URLParam(r, "id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if err := tasks.Add(ctx, "notify", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		s.log.InfoContext(ctx, "notify", "request", middleware.GetReqID(ctx))
		return s.post(ctx, "http://hooks/notify", order)
	}); err != nil {
		s.log.ErrorContext(ctx, "not notified", "err", err)
	}
	render.JSON(w, r, order)
}

// Right15: near category 3, subtle.
// WithoutCancel on the task's own context, so that the cleanup runs after its timeout as well.
func (s *Server) Right15Export(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	err := tasks.Add(r.Context(), "export", func(ctx context.Context) (err error) {
		if err := s.store.SetStatus(ctx, id, "exporting"); err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			err = errors.Join(err, s.store.SetStatus(ctx, id, "idle"))
		}()
		return s.post(ctx, "http://warehouse/export", id)
	}, tasks.Timeout(time.Minute))
	if err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

type userKey struct{}

func userFrom(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

type greeting struct{ User, RequestID string }

func (s *Server) greet(ctx context.Context, g greeting) error {
	return s.mail.Send(ctx, Mail{To: g.User, Subject: "Hello", Body: g.RequestID + userFrom(ctx)})
}

// Right16: near category 3, easy.
// The request's context is asked in the arguments, that is in the handler; what Add is given
// has a value more, which the task finds in its own.
func (s *Server) Right16Greet(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	user := userFrom(ctx)
	if user == "" {
		user = "guest"
		ctx = context.WithValue(ctx, userKey{}, user)
	}
	if err := tasks.Add(ctx, "greet", tasks.Bind(s.greet, greeting{
		User:      userFrom(ctx),
		RequestID: middleware.GetReqID(r.Context()),
	})); err != nil {
		busy(w)
		return
	}
	render.PlainText(w, r, "hello "+user)
}

// Right17: near category 3, medium.
// A task that adds tasks, with its own context.
func (s *Server) Right17Pay(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	order, err := s.store.Order(ctx, chi.URLParam(r, "id"))
	if err != nil {
		http.Error(w, "no such order", http.StatusNotFound)
		return
	}
	err = tasks.Add(ctx, "capture payment", func(taskCtx context.Context) error {
		if err := s.post(taskCtx, "http://payments/capture", order); err != nil {
			return err
		}
		paid := Mail{To: order.Email, Subject: "Paid"}
		return tasks.Add(taskCtx, "mail", func(ctx context.Context) error {
			return s.mail.Send(ctx, paid)
		})
	})
	if err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, order)
}

// Poller has a context that lives as long as the service.
type Poller struct {
	store *Store
	stop  context.Context
	quit  context.CancelFunc
}

func NewPoller(store *Store) *Poller {
	p := &Poller{store: store}
	p.stop, p.quit = context.WithCancel(context.Background())
	return p
}

// Right18: near category 3, subtle.
// The captured context is not the request's: the task asks it whether the service goes down,
// beside its own.
func (p *Poller) Right18Watch(w http.ResponseWriter, r *http.Request) {
	id, stop := chi.URLParam(r, "id"), p.stop
	if err := tasks.Add(r.Context(), "watch", func(ctx context.Context) error {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 10 {
			select {
			case <-tick.C:
				if err := p.store.SetStatus(ctx, id, "watched"); err != nil {
					return err
				}
			case <-stop.Done():
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Right19: near category 3, medium.
// One closure for both ways: the handler calls it with the request's context, Add with the task's.
func (s *Server) Right19Charge(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	charge := func(ctx context.Context) error {
		order, err := s.store.Order(ctx, id)
		if err != nil {
			return err
		}
		return s.post(ctx, "http://payments/charge", order)
	}
	if r.URL.Query().Has("wait") {
		if err := charge(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		render.NoContent(w, r)
		return
	}
	if err := s.later(r.Context(), "charge", charge); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Right20: near category 3, medium.
// Goroutines inside the task, which waits for them, with its own context.
func (s *Server) Right20Broadcast(w http.ResponseWriter, r *http.Request) {
	reqCtx, targets := r.Context(), r.URL.Query()["target"]
	if err := tasks.Add(reqCtx, "broadcast", func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var wg sync.WaitGroup
		for _, target := range targets {
			wg.Go(func() {
				if err := s.post(ctx, target, "changed"); err != nil {
					cancel(err)
				}
			})
		}
		wg.Wait()
		return context.Cause(ctx)
	}); err != nil {
		s.log.ErrorContext(reqCtx, "no broadcast", "err", err)
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
