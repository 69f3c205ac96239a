package chimw_test

import (
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
)

// Profiler is a handler: ours is in front of the router that it is mounted on, or around it.
func TestBesideChisProfiler(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		run, _ := bhRunner(bgtasks.Config{})
		answered := make(chan struct{})
		adder := bhTaskAdder(t, "audit", bhUntil(answered))
		ours := chimw.BackgroundTasks(run)
		r := chi.NewRouter()
		r.Mount("/bare", middleware.Profiler())
		r.Mount("/around", ours(adder(middleware.Profiler())))
		r.With(ours, adder).Mount("/with", middleware.Profiler())
		s := servertest.Start(t, p, r)
		_, want := bhGet(t, s, "/bare/pprof/cmdline")
		for _, path := range []string{"/around", "/with"} {
			res, body := bhGet(t, s, path+"/pprof/cmdline")
			assert.Equal(t, http.StatusOK, res.StatusCode)
			assert.Equal(t, want, body)
		}
		close(answered)
		bhWait(t, run)
		assert.EqualValues(t, 2, run.Stats().Succeeded)
	})
}
