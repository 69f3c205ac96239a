package chimw

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// settle is how long after net/http's last signal its last write is expected to have
// begun, where there is no signal for its end. Measured over HTTP/2 with 100 streams at
// once on two cores with little else to do: with 5 ms no task of 40,000 started before its
// last write; with 4 ms 4 did, with 2 ms 77, with 200 µs 1,027. Of 800,000, 4 did with 5 ms
// and 11 with 4.75 ms.
const settle = 5 * time.Millisecond

// startWhenSent starts the list when the response has been sent. It does not block, and is
// called once the handler chain inside the middleware has returned: some of what is outside
// has yet to. w is the response writer outside.
func (x *exchange) startWhenSent(r *bgtasks.Runner, w http.ResponseWriter) {
	x.noteGone()
	switch {
	case x.unheld():
		x.start(x.whole())
	case x.conn != nil && !x.writer.http2 && !x.late:
		x.conn.startWhenIdle(x)
	default:
		if x.conn == nil {
			warnNotAttached(r)
		}
		x.startWhenSettled(x.host.parent, w)
	}
}

func (x *exchange) noteGone() { x.gone = errors.Is(x.host.parent.Err(), context.Canceled) }

// unheld reports that nothing is to be waited for.
func (x *exchange) unheld() bool { return x.hijacked || !served(x.host.parent) }

// served reports whether there is a server that is to send the response: not in a test with
// a recorder, nor for a request that a task makes up. Servers other than net/http's set at
// least one of these (quic-go), or are taken for none.
func served(ctx context.Context) bool {
	if _, inTask := bgtasks.OutcomeFrom(ctx); inTask || ctx.Done() == nil {
		return false
	}
	return ctx.Value(http.ServerContextKey) != nil || ctx.Value(http.LocalAddrContextKey) != nil
}

// startWhenSettled is for where nothing tells the end of the last write.
func (x *exchange) startWhenSettled(ctx context.Context, w http.ResponseWriter) {
	if end := x.streamEnd(w); end != nil {
		go func() {
			<-end
			x.startSoon()
		}()
		return
	}
	context.AfterFunc(ctx, x.startSoon) // net/http ends it when the handler chain has returned
}

func (x *exchange) startSoon() {
	time.AfterFunc(settle, func() {
		// A timer's goroutine runs before those that were ready earlier, net/http's among
		// them: let these go first. With four busy goroutines on two cores that took early
		// starts from 300 of 8,000 to none.
		runtime.Gosched()
		runtime.Gosched()
		if x.conn != nil {
			x.conn.barrier()
		}
		x.start(x.whole())
	})
}

var warned sync.Map // of weak.Pointer[bgtasks.Runner]

// notAttachedBefore reports that warnNotAttached has been called for r.
func notAttachedBefore(r *bgtasks.Runner) bool {
	_, before := warned.Load(weak.Make(r))
	return before
}

// warnNotAttached logs once for each runner.
func warnNotAttached(r *bgtasks.Runner) {
	if _, before := warned.LoadOrStore(weak.Make(r), true); before {
		return
	}
	defer func() { _ = recover() }() // a log handler that panics is no concern of the response
	r.Logger().Warn("chimw: this server is not attached, so tasks may start before their response has been sent: " +
		"call chimw.Attach(server) before it serves, after setting its ConnState and ConnContext, or run it with chimw.ListenAndServe")
}
