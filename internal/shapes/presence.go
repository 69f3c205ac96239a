package shapes

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// A Presence is one way in which chimw.BackgroundTasks is in front of a handler.
type Presence struct {
	Name  string
	Tasks int  // added for each request
	Block bool // the tasks end only when the client has read all
	Twice bool // installed twice
}

// Presences of the middleware; none must be seen by the client.
var Presences = []Presence{
	{Name: "no task"},
	{Name: "four tasks", Tasks: 4},
	{Name: "a blocked task", Tasks: 1, Block: true},
	{Name: "installed twice", Tasks: 2, Twice: true},
}

// A Guise is a Presence with a runner of its own, and counts what it has run.
type Guise struct {
	Presence
	Run     *bgtasks.Runner
	added   atomic.Int64
	ran     atomic.Int64
	release chan struct{}
}

// NewGuise returns one whose runner logs nothing.
func NewGuise(p Presence) *Guise {
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	return &Guise{Presence: p, Run: run, release: make(chan struct{})}
}

// Middleware is what to put in front of the handler.
func (g *Guise) Middleware() []func(http.Handler) http.Handler {
	mws := []func(http.Handler) http.Handler{chimw.BackgroundTasks(g.Run), g.addTasks}
	if g.Twice {
		mws = append(mws, chimw.BackgroundTasks(g.Run))
	}
	return mws
}

func (g *Guise) addTasks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range g.Tasks {
			if err := bgtasks.Add(r.Context(), fmt.Sprint("task ", i), g.task); err != nil {
				panic(err)
			}
			g.added.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}

func (g *Guise) task(ctx context.Context) error {
	if g.Block {
		select {
		case <-g.release:
		case <-ctx.Done():
		}
	}
	g.ran.Add(1)
	return nil
}

// Release lets blocked tasks end, none of which may have ended before.
func (g *Guise) Release(t testing.TB) {
	t.Helper()
	if g.Block && g.ran.Load() > 0 {
		t.Error("a blocked task has ended")
	}
	close(g.release)
}

// RequireTasks waits for every task: at least one was added, where there were to be any,
// and all have run.
func (g *Guise) RequireTasks(t testing.TB) (ran int64) {
	t.Helper()
	if err := g.Run.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	added, ran := g.added.Load(), g.ran.Load()
	if added != ran || (g.Tasks > 0) != (ran > 0) {
		t.Fatalf("%s: %d tasks added, %d ran", g.Name, added, ran)
	}
	return ran
}

// Without serves each shape under a host name of its own, see Host.
func Without(all []Shape) http.Handler {
	handlers := hosts{}
	for i, s := range all {
		handlers[Host(i)] = s.Router()
	}
	return handlers
}

// With is the same with the middleware; each shape has a Guise of its own.
func With(p Presence, all []Shape) (http.Handler, []*Guise) {
	handlers, guises := hosts{}, make([]*Guise, len(all))
	for i, s := range all {
		guises[i] = NewGuise(p)
		handlers[Host(i)] = s.Router(guises[i].Middleware()...)
	}
	return handlers, guises
}

// Host is the name for which the shape with that index is served.
func Host(i int) string { return fmt.Sprintf("shape-%d.test", i) }

type hosts map[string]http.Handler

func (h hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) { h[r.Host].ServeHTTP(w, r) }
