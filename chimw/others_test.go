package chimw_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNeverTwiceOnAKeptConnection(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
		site.Get("/{n}", bhNoting(t, steps))
		s := servertest.Start(t, p, site)
		var want []string
		for n := range 20 {
			path := fmt.Sprint("/", n)
			want = append(want, path)
			bhGet(t, s, path)
		}
		bhWait(t, site.run)
		assert.ElementsMatch(t, want, steps.all())
	})
}

// bhNoting is a handler with a task that notes the request's path.
func bhNoting(t testing.TB, steps *bhSteps) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "note", steps.task(r.URL.Path, nil))
		render.PlainText(w, r, r.URL.Path)
	}
}

func TestNeverTwiceForPipelinedRequests(t *testing.T) {
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP1TLS} {
		t.Run(p.Name, func(t *testing.T) {
			site, steps := bhNewSite(bgtasks.Config{}), &bhSteps{}
			site.Get("/{n}", bhNoting(t, steps))
			s := servertest.Start(t, p, site)
			conn := bhDial(t, s, p)
			var requests strings.Builder
			var want []string
			for n := range 10 {
				path := fmt.Sprint("/", n)
				want = append(want, path)
				fmt.Fprintf(&requests, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			}
			_, err := io.WriteString(conn, requests.String())
			require.NoError(t, err)
			in := bufio.NewReader(conn)
			for _, path := range want {
				res, err := http.ReadResponse(in, nil)
				require.NoError(t, err)
				assert.Equal(t, path, bhBody(t, res))
			}
			bhWait(t, site.run)
			assert.ElementsMatch(t, want, steps.all())
		})
	}
}

func TestShutdownWaitsForTasksAndResourcesAreClosedAfterIt(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		var closed atomic.Bool
		stopping := make(chan struct{})
		site.Get("/", bhAdding(t, "uses a resource", func(ctx context.Context) error {
			if err := bhUntil(stopping)(ctx); err != nil {
				return err
			}
			if closed.Load() {
				return errors.New("the resource is closed")
			}
			return nil
		}))
		bhGet(t, servertest.Start(t, p, site), "/")
		ctx, cancel := context.WithTimeout(t.Context(), bhPatience)
		defer cancel()
		shut := make(chan error, 1)
		go func() { shut <- site.run.Shutdown(ctx) }()
		assert.Empty(t, shut, "the task still runs")
		close(stopping)
		require.NoError(t, bhReceive(t, shut, "the shutdown"))
		closed.Store(true)
		assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	})
}

func TestFullQueueIsToldAtOnceAndNeverBlocksTheHandler(t *testing.T) {
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{MaxPending: 1})
		refused := make(chan struct{})
		site.Get("/", func(w http.ResponseWriter, r *http.Request) {
			err := bgtasks.Add(r.Context(), "fills the queue", bhUntil(refused))
			if err != nil {
				assert.ErrorIs(t, err, bgtasks.ErrFull)
				render.Status(r, http.StatusServiceUnavailable)
			}
			render.PlainText(w, r, "answer")
		})
		s := servertest.Start(t, p, site)
		first, _ := bhGet(t, s, "/")
		second, _ := bhGet(t, s, "/")
		close(refused)
		assert.Equal(t, []int{http.StatusOK, http.StatusServiceUnavailable}, []int{first.StatusCode, second.StatusCode})
		bhWait(t, site.run)
		third, _ := bhGet(t, s, "/")
		assert.Equal(t, http.StatusOK, third.StatusCode, "there is room again")
		bhWait(t, site.run)
	})
}

// Every task starts while further requests come in, which reuse whatever was pooled.
func TestRecycledRequestIsNeverSeenByATask(t *testing.T) {
	const workers, each = 4, 25
	bhEach(t, func(t *testing.T, p servertest.Protocol) {
		site := bhNewSite(bgtasks.Config{})
		site.Get("/items/{id}", func(w http.ResponseWriter, r *http.Request) {
			id := strings.Clone(chi.URLParam(r, "id"))
			bhAdd(t, r.Context(), "look again", func(ctx context.Context) error {
				seen := []string{chi.URLParam(r, "id"), chi.URLParamFromCtx(ctx, "id"), r.URL.Path, chi.RouteContext(ctx).RoutePattern()}
				assert.Equal(t, []string{id, id, "/items/" + id, "/items/{id}"}, seen)
				return nil
			})
			render.PlainText(w, r, id)
		})
		s := servertest.Start(t, p, site)
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				for i := range each {
					id := fmt.Sprint(worker, "-", i)
					_, body, err := s.Get(t.Context(), "/items/"+id)
					assert.NoError(t, err)
					assert.Equal(t, id, string(body))
				}
			})
		}
		wg.Wait()
		bhWait(t, site.run)
		assert.EqualValues(t, workers*each, site.run.Stats().Succeeded)
	})
}

// Each task adds two: without a limit that would be 2^100 of them.
func TestListThatKeepsAddingToItselfMeetsALimit(t *testing.T) {
	site := bhNewSite(bgtasks.Config{MaxPending: 100})
	full := make(chan error, 1)
	var twoMore bgtasks.Func
	twoMore = func(ctx context.Context) error {
		if len(full) > 0 {
			return nil // so that the test comes to an end
		}
		for range 2 {
			if err := bgtasks.Add(ctx, "two more", twoMore); err != nil {
				full <- err
				return err
			}
		}
		return nil
	}
	site.Get("/", bhAdding(t, "two more", twoMore))
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	bhWait(t, site.run)
	assert.ErrorIs(t, bhReceive(t, full, "a refusal"), bgtasks.ErrFull)
	assert.LessOrEqual(t, site.run.Stats().Accepted, int64(200))
}

func TestListThatGoesOnForeverEndsWithTheShutdown(t *testing.T) {
	site := bhNewSite(bgtasks.Config{})
	var again bgtasks.Func
	again = func(ctx context.Context) error { return bgtasks.Add(ctx, "again", again) }
	site.Get("/", bhAdding(t, "again", again))
	bhGet(t, servertest.Start(t, servertest.HTTP1, site), "/")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var unfinished *bgtasks.ShutdownError
	require.ErrorAs(t, site.run.Shutdown(ctx), &unfinished)
	require.NotEmpty(t, unfinished.Unfinished)
	assert.Equal(t, "again", unfinished.Unfinished[0].Name)
	bhWait(t, site.run)
}
