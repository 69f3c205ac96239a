package chimw_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func bhStatus(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		render.Status(r, status)
		render.PlainText(w, r, text)
	}
}

// bhOutcomes are what handlers do and the outcome that their tasks are told.
var bhOutcomes = map[string]struct {
	handler http.HandlerFunc
	want    bgtasks.Outcome
	ok      bool
}{
	"nothing written": {func(http.ResponseWriter, *http.Request) {}, bgtasks.Outcome{Status: 200, Sent: true}, true},
	"implicit 200": {func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "four")
	}, bgtasks.Outcome{Status: 200, Bytes: 4, Sent: true}, true},
	"201":           {bhStatus(http.StatusCreated, "made"), bgtasks.Outcome{Status: 201, Bytes: 4, Sent: true}, true},
	"204":           {render.NoContent, bgtasks.Outcome{Status: 204, Sent: true}, true},
	"399, the last": {bhStatus(399, ""), bgtasks.Outcome{Status: 399, Sent: true}, true},
	"400":           {bhStatus(http.StatusBadRequest, "bad"), bgtasks.Outcome{Status: 400, Bytes: 3, Sent: true}, false},
	"500":           {bhStatus(http.StatusInternalServerError, "sorry"), bgtasks.Outcome{Status: 500, Bytes: 5, Sent: true}, false},
	"streamed": {func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			_, _ = io.WriteString(w, "chunk")
			_ = http.NewResponseController(w).Flush()
		}
	}, bgtasks.Outcome{Status: 200, Bytes: 25, Sent: true}, true},
	"early hints": {func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}, bgtasks.Outcome{Status: 202, Sent: true}, true},
	"panic before the header": {func(http.ResponseWriter, *http.Request) { panic("x") }, bgtasks.Outcome{Panicked: true}, false},
	"panic after the header": {func(w http.ResponseWriter, r *http.Request) {
		bhStatus(http.StatusCreated, "half")(w, r)
		panic("x")
	}, bgtasks.Outcome{Status: 201, Bytes: 4, Panicked: true}, false},
	"aborted": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, bgtasks.Outcome{Aborted: true}, false},
	"Goexit":  {func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, bgtasks.Outcome{Aborted: true}, false},
}

func TestOutcomeOfEachResponse(t *testing.T) {
	for name, c := range bhOutcomes {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 2)
				site.Post("/", func(w http.ResponseWriter, r *http.Request) {
					bhAdd(t, r.Context(), "always", bhTellOutcome(outcomes))
					bhAdd(t, r.Context(), "restricted", bhTellOutcome(outcomes), bgtasks.When(bgtasks.Outcome.OK))
					c.handler(w, r)
				})
				s := servertest.Start(t, p, site)
				if res, err := s.Client.Post(s.URL, "", nil); err == nil { // no response to a panic
					bhReadAll(res)
				}
				got := bhReceive(t, outcomes, "the task")
				assert.Equal(t, c.want, got)
				assert.Equal(t, c.ok, got.OK())
				assert.Equal(t, !c.ok, got.Failed())
				bhWait(t, site.run)
				assert.Equal(t, c.ok, len(outcomes) == 1, "whether the restricted task ran")
			})
		})
	}
}

// bhReadAll reads a body that may break off.
func bhReadAll(res *http.Response) {
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

func TestOutcomeWithRecovererInsideIsTheResponseOnly(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		status, outcome := bhRecovered(t, p, false)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Equal(t, bgtasks.Outcome{Status: 500, Sent: true}, outcome)
	})
}

func TestOutcomeWithRecovererOutsideIsThePanic(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		status, outcome := bhRecovered(t, p, true)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.True(t, outcome.Panicked)
		assert.Zero(t, outcome.Status, "what is answered outside cannot be seen")
	})
}

func bhRecovered(t *testing.T, p servertest.Protocol, outside bool) (int, bgtasks.Outcome) {
	run, _ := bhRunner(bgtasks.Config{})
	outcomes := make(chan bgtasks.Outcome, 1)
	r := chi.NewRouter()
	chain := chi.Chain(chimw.BackgroundTasks(run), bhQuietRecoverer)
	if outside {
		chain = chi.Chain(bhQuietRecoverer, chimw.BackgroundTasks(run))
	}
	r.With(chain...).Get("/", func(_ http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "task", bhTellOutcome(outcomes))
		panic("recovered")
	})
	res, _ := bhGet(t, servertest.Start(t, p, r), "/")
	return res.StatusCode, bhReceive(t, outcomes, "the task")
}

func TestOutcomeOfAHijackedConnection(t *testing.T) {
	for _, p := range bhHijackable {
		t.Run(p.Name, func(t *testing.T) {
			site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
			site.Get("/", func(w http.ResponseWriter, r *http.Request) {
				bhAdd(t, r.Context(), "task", bhTellOutcome(outcomes))
				conn, _, err := http.NewResponseController(w).Hijack()
				if assert.NoError(t, err) {
					_ = conn.Close()
				}
			})
			_, _, err := servertest.Start(t, p, site).Get(t.Context(), "/")
			assert.Error(t, err)
			got := bhReceive(t, outcomes, "the task")
			got.Sent = false // the server does not know
			assert.Equal(t, bgtasks.Outcome{Hijacked: true}, got)
		})
	}
}

func TestOutcomeWhereTheClientHasGone(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, outcomes := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
		entered := make(chan struct{})
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "task", bhTellOutcome(outcomes))
			w.WriteHeader(http.StatusAccepted)
			close(entered)
			bhWriteUntilItFails(w)
		})
		s := servertest.Start(t, p, site)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			bhReceive(t, entered, "the request")
			cancel()
		}()
		_, _, err := s.Get(ctx, "/")
		require.Error(t, err)
		got := bhReceive(t, outcomes, "the task")
		assert.False(t, got.Sent)
		assert.Equal(t, http.StatusAccepted, got.Status)
		assert.True(t, got.OK(), "the handler did its part")
	})
}

func bhWriteUntilItFails(w io.Writer) {
	chunk := make([]byte, 64<<10)
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestOutcomeIsNotKnownInTheHandler(t *testing.T) {
	site, known := bhNewSite(bgtasks.Config{}), make(chan bool, 1)
	site.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_, ok := bgtasks.OutcomeFrom(r.Context())
		known <- ok
	})
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	assert.False(t, bhReceive(t, known, "the handler"))
}

// A program may end the context of all its requests when it shuts down.
func TestResponseIsSentThoughTheBaseContextHasEnded(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		base, cancel := context.WithCancel(context.Background())
		defer cancel()
		site, ran := bhNewSite(bgtasks.Config{}), make(chan bgtasks.Outcome, 1)
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			bhAdd(t, r.Context(), "look", func(ctx context.Context) error {
				o, _ := bgtasks.OutcomeFrom(ctx)
				ran <- o
				return nil
			})
			cancel()
			<-r.Context().Done()
			_, _ = io.WriteString(w, "all of it")
		})
		s := servertest.Start(t, p, site, servertest.Configure(func(srv *http.Server) {
			srv.BaseContext = func(net.Listener) context.Context { return base }
		}))
		_, body := bhGet(t, s, "/")
		assert.Equal(t, "all of it", body)
		assert.True(t, bhReceive(t, ran, "the task").Sent)
	})
}
