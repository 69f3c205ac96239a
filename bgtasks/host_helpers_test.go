package bgtasks_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A host stands in for an integration. Its zero value is that of a request whose
// handler does not write.
type host struct {
	journal
	progress atomic.Uint64
	writing  atomic.Bool
	route    atomic.Value    // a string
	end      func() error    // what Cleanup returns
	known    bgtasks.Outcome // what Detach returns
	capture  func(context.Context) context.Context

	mu    sync.Mutex
	given []any // what of userKey was in the contexts that About was given
}

func (h *host) Capture(ctx context.Context) context.Context {
	h.note("capture")
	if h.capture != nil {
		return h.capture(ctx)
	}
	return ctx
}

func (h *host) About(ctx context.Context) bgtasks.Info {
	h.mu.Lock()
	h.given = append(h.given, ctx.Value(userKey{}))
	h.mu.Unlock()
	route, _ := h.route.Load().(string)
	return bgtasks.Info{Route: route, Method: "POST", RequestID: "req-1"}
}

func (h *host) Writing() (uint64, bool) { return h.progress.Load(), h.writing.Load() }

func (h *host) Detach(returned bool) bgtasks.Outcome {
	h.note(fmt.Sprint("detach, returned: ", returned))
	return h.known
}

func (h *host) Cleanup() func() error {
	h.note("cleanup")
	return h.end
}

// hosted opens a list for h.
func hosted(run *bgtasks.Runner, h *host) (context.Context, *bgtasks.List) {
	list := new(bgtasks.List)
	return list.Init(run, context.Background(), h), list
}
