package chimw_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A list whose response is not read takes no place among those that run, here for as long as
// its client likes: the tasks of others run as ever.
func TestClientsThatDoNotReadDoNotHoldTheTasksOfOthers(t *testing.T) {
	const stalled, others = 8, 50
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			site := bhNewSite(bgtasks.Config{SendTimeout: -1, MaxRunning: 1})
			ran := make(chan string, stalled+others)
			site.Get("/{kind}/{n}", func(w http.ResponseWriter, r *http.Request) {
				path := r.URL.Path
				bhAdd(t, r.Context(), "tell", func(context.Context) error { ran <- path; return nil })
				if path[1] == 's' {
					render.Data(w, r, huge())
				}
			})
			s := servertest.Start(t, p, site)
			for i := range stalled {
				open(t, s, fmt.Sprint("/stalled/", i))
			}
			another := &servertest.Server{URL: s.URL, Client: p.Client(t)} // a connection's window may be used up
			for i := range others {
				path := fmt.Sprint("/quick/", i)
				bhGet(t, another, path)
				require.Equal(t, path, bhReceive(t, ran, "the task of another"))
			}
			// The last of the others' tasks has told, and is about to return.
			require.Eventually(t, func() bool { return site.run.Stats().Pending == stalled }, bhPatience, time.Millisecond)
			assert.Zero(t, site.run.Stats().Waiting)
		})
	}
}

// What a task holds on to is let go when it has run, and not when the client at last goes:
// Config.SendTimeout bounds it. (What net/http holds is bounded by http.Server.WriteTimeout.)
func TestClientThatDoesNotReadDoesNotHoldWhatItsTasksHeld(t *testing.T) {
	type order [1 << 20]byte
	for _, p := range servertest.Protocols {
		for _, size := range []string{"huge", "small"} {
			t.Run(p.Name+"/"+size, func(t *testing.T) {
				t.Parallel()
				site := bhNewSite(bgtasks.Config{SendTimeout: 100 * time.Millisecond})
				held, ran := make(chan weak.Pointer[order], 1), make(chan struct{})
				site.Get("/", func(w http.ResponseWriter, r *http.Request) {
					o := new(order)
					held <- weak.Make(o)
					ctx := context.WithValue(r.Context(), bhValueKey{}, o)
					bhAdd(t, ctx, "task", func(ctx context.Context) error {
						defer close(ran)
						assert.NotNil(t, ctx.Value(bhValueKey{}))
						runtime.KeepAlive(o)
						return nil
					})
					if size == "huge" { // the handler is stuck in its write, and not done
						render.Data(w, r, huge())
					}
				})
				res := open(t, servertest.Start(t, p, site), "/")
				bhReceive(t, ran, "the task")
				bhWait(t, site.run)
				kept := bhReceive(t, held, "what it held")
				require.Eventually(t, func() bool { runtime.GC(); return kept.Value() == nil }, bhPatience, 10*time.Millisecond)
				assert.Equal(t, http.StatusOK, res.StatusCode) // its body is still there to be read
			})
		}
	}
}
