// Package inspector is the page that shows what a runner is doing, for chimw.Inspector: one
// address that answers HTML, JSON or a stream of events, by the request's Accept header.
//
// It listens to the runner's events for what is past (history, failures) and looks at the
// runner for what is now (report). All that it keeps is bounded.
package inspector

import (
	"net/http"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

// most is how many tasks of each kind are shown: the oldest.
const most = 50

// A Server is what is known of the server that a request came by.
type Server struct {
	Attached   bool            // this one tells when a response has been sent
	Unattached bool            // tasks have come by one that does not
	Closing    <-chan struct{} // closed when its shutdown begins; nil: there is no telling
}

// An Inspector is the handler.
type Inspector struct {
	runner   *bgtasks.Runner
	server   func(*http.Request) Server
	history  history
	failures failures
	streams  chan struct{} // a place for each

	mu       sync.Mutex
	lookedAt time.Time
	looked   bgtasks.Snapshot
}

// New returns an Inspector that observes r, which must not have had a request yet.
func New(r *bgtasks.Runner, server func(*http.Request) Server) *Inspector {
	i := &Inspector{runner: r, server: server, streams: make(chan struct{}, mostStreams)}
	i.history.since = time.Now()
	r.Observe(i.observe)
	return i
}

// observe is what a mounted inspector costs every task.
func (i *Inspector) observe(e bgtasks.Event) {
	switch {
	case e.Kind == bgtasks.Accepted:
		i.history.add(accepted)
	case e.Kind == bgtasks.Refused:
		i.history.add(refused)
	case e.Kind == bgtasks.Unfinished:
		i.failures.add(e)
	case e.Kind == bgtasks.Finished && e.Err == nil:
		i.history.add(succeeded)
	case e.Kind == bgtasks.Finished:
		i.history.add(failed)
		i.failures.add(e)
	}
}

// ServeHTTP does not look at the path, so that it works wherever it is mounted.
func (i *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the inspector only shows: GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	switch server := i.server(r); accept(r) {
	case render.ContentTypeHTML:
		render.HTML(w, r, page(i.report(server, i.runner.Snapshot(most))))
	case render.ContentTypeEventStream:
		i.stream(w, r, server)
	default:
		render.JSON(w, r, i.report(server, i.runner.Snapshot(most)))
	}
}

// secure lets a page load nothing, and run and look like what is in it only.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
}

// recent is a snapshot that all streams share: with 65,536 tasks pending one takes 20 ms.
func (i *Inspector) recent() bgtasks.Snapshot {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.lookedAt) > tick/2 {
		i.looked, i.lookedAt = i.runner.Snapshot(most), time.Now()
	}
	return i.looked
}
