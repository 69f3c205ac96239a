package chimw_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

// By the time the handler comes to add its task, the response has been sent, the
// connection has been idle, and other requests have been served.
func TestHandlerThatOutlivesItsTimeoutStillHasItsTaskRun(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		release, ran := make(chan struct{}), make(chan string, 1)
		site.Get("/late/{id}", func(w http.ResponseWriter, r *http.Request) {
			bhExpire(r)
			<-release
			bhAdd(t, r.Context(), "late", func(ctx context.Context) error {
				ran <- chi.URLParam(r, "id") + chi.RouteContext(ctx).RoutePattern()
				return nil
			})
		})
		site.Get("/other/{id}", func(w http.ResponseWriter, r *http.Request) {
			render.PlainText(w, r, chi.URLParam(r, "id"))
		})
		s := servertest.Start(t, p, bhExpiring(bhTimeoutHandler)(site))
		res, _ := bhGet(t, s, "/late/7")
		assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		_, other := bhGet(t, s, "/other/8")
		assert.Equal(t, "8", other)
		close(release)
		assert.Equal(t, "7/late/{id}", bhReceive(t, ran, "the task"))
	})
}
