package taskcontext

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func work(ctx context.Context) error { return nil }

func ofTheRequest(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		return work(r.Context()) // want `r.Context\(\) is the request's, not the task's: it has been cancelled, or is never, .* use the task's own ctx`
	})
}

func captured(w http.ResponseWriter, r *http.Request) {
	reqCtx := r.Context()
	_ = bgtasks.Add(reqCtx, "task", func(taskCtx context.Context) error {
		return work(reqCtx) // want `reqCtx is the request's, .* use the task's own taskCtx`
	})
}

func unnamed(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	_ = bgtasks.Add(ctx, "task", func(context.Context) error {
		return work(ctx) // want `ctx is the request's`
	})
	_ = bgtasks.Add(ctx, "task", func(_ context.Context) error {
		return work(ctx) // want `ctx is the request's`
	})
}

func otherwiseUnused(w http.ResponseWriter, r *http.Request) {
	kept := context.WithoutCancel(r.Context())
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		return work(kept) // want `kept is the request's`
	})
}

func derived(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	_ = cancel
	ctx = context.WithValue(ctx, "k", "v")
	_ = bgtasks.Add(r.Context(), "task", func(own context.Context) error {
		<-ctx.Done() // want `ctx is the request's`
		return nil
	})
}

type service struct{ base context.Context }

func (s *service) place(ctx context.Context) error {
	return bgtasks.Add(ctx, "task", func(context.Context) error {
		return work(ctx) // want `ctx is the request's`
	})
}

func nested(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(outer context.Context) error {
		return bgtasks.Add(outer, "nested", func(ctx context.Context) error {
			return work(outer) // want `outer is the request's`
		})
	})
}

func mailTask(ctx context.Context) bgtasks.Func {
	return func(context.Context) error {
		return work(ctx) // want `ctx is the request's`
	}
}

func made(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", mailTask(r.Context()))
}

func background(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		return work(context.Background()) // want `context.Background\(\) knows neither the task's timeout nor the shutdown`
	})
	bg := context.Background()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		c, cancel := context.WithTimeout(context.TODO(), time.Second) // want `context.TODO\(\) knows neither`
		defer cancel()
		_ = work(c)
		return work(bg) // want `bg knows neither`
	})
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(send, "to"))
	_ = bg
}

func send(ctx context.Context, to string) error {
	return work(context.Background()) // want `context.Background\(\) knows neither`
}

// Near misses.

func ownContext(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	_ = bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = work(context.WithoutCancel(ctx))
		return work(ctx)
	})
}

func values(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	id := middleware.GetReqID(ctx)
	_ = bgtasks.Add(ctx, "task", func(own context.Context) error {
		fmt.Println(id, ctx.Value("user"), chi.URLParamFromCtx(ctx, "id"), chi.RouteContext(r.Context()).RoutePattern(), user(r.Context()))
		return nil
	})
}

func user(ctx context.Context) string {
	name, _ := ctx.Value("user").(string)
	return name + middleware.GetReqID(ctx)
}

func ofTheProgram(app context.Context, r chi.Router) {
	background := context.Background()
	r.Post("/", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
			_ = work(background)
			return work(app)
		})
	})
}

func (s *service) ofTheService(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error { return work(s.base) })
}

func cleansUp(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		defer func() { _ = work(context.Background()) }()
		if err := work(ctx); err != nil {
			return errors.Join(err, work(context.Background()))
		}
		if ctx.Err() != nil {
			return work(context.Background())
		}
		select {
		case <-ctx.Done():
			return work(context.Background())
		default:
			return nil
		}
	})
}
