package chimw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			run := bgtasks.New(bgtasks.Config{})
			r := chi.NewRouter()
			r.Use(chimw.BackgroundTasks(run))
			ran := 0
			r.Get("/{id}", func(w http.ResponseWriter, r *http.Request) {
				bgtasks.Add(r.Context(), "x", func(ctx context.Context) error { ran++; return nil })
				render.PlainText(w, r, "ok")
			})
			s := servertest.Start(t, p, r)
			res, body, err := s.Get(t.Context(), "/4")
			require.NoError(t, err)
			require.Equal(t, p.HTTP2, res.ProtoMajor == 2)
			require.Equal(t, "ok", string(body))
			require.NoError(t, run.Wait(t.Context()))
			require.Equal(t, 1, ran)
		})
	}
}
