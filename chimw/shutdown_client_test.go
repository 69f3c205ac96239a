package chimw_test

import (
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

func TestClientThatDoesNotReadDoesNotHoldServe(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			c := newShutdownCase(false)
			r := chi.NewRouter()
			r.Use(chimw.BackgroundTasks(c.run))
			r.Get("/", func(w http.ResponseWriter, r *http.Request) {
				assert.NoError(t, bgtasks.Add(r.Context(), "first", succeed))
				assert.NoError(t, bgtasks.Add(r.Context(), "second", succeed))
				render.Data(w, r, huge())
			})
			s := servertest.Serve(t, p, r, c.run, shortGrace)
			open(t, s.Server, "/")
			s.Stop()
			err := awaitResult(t, s)
			c.assertAccounted(t, err)
			assert.EqualValues(t, 2, c.book.count(bgtasks.Accepted))
			c.book.close()
			awaitIdle(t, c.run)
			c.book.assertAgreesWith(t, c.run.Stats())
		})
	}
}
