package chimw

import (
	"context"
	"net/http"
	"sync"
	"time"
	"weak"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// settle is how long after net/http's last signal its last write is expected to have
// begun, where there is no signal for its end. Measured: with 5 ms no task of an HTTP/2
// response started before its last write, in 17,100 requests on a machine with free
// processors; with 200 µs 162 of 4,000 did.
const settle = 5 * time.Millisecond

// startWhenSent starts the list when the response has been sent. It does not block, and is
// called once the handler chain inside the middleware has returned: some of what is outside
// has yet to.
func (x *exchange) startWhenSent() {
	ctx := x.host.parent
	switch {
	case x.outcome.Hijacked:
		x.start(x.whole())
	case x.conn != nil && !x.http2:
		x.conn.startWhenIdle(x)
	case ctx.Value(http.ServerContextKey) == nil || ctx.Done() == nil: // no server: a test's recorder
		x.start(x.whole())
	default:
		if x.conn == nil {
			warnNotAttached(x.runner)
		}
		x.startWhenSettled(ctx)
	}
}

// startWhenSettled is for where nothing tells the end of the last write.
func (x *exchange) startWhenSettled(ctx context.Context) {
	if end := x.streamEnd(); end != nil {
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
		if x.conn != nil {
			x.conn.barrier()
		}
		x.start(x.whole())
	})
}

var warned sync.Map // of weak.Pointer[bgtasks.Runner]

// warnNotAttached logs once for each runner.
func warnNotAttached(r *bgtasks.Runner) {
	if _, before := warned.LoadOrStore(weak.Make(r), true); before {
		return
	}
	r.Logger().Warn("chimw: this server is not attached, so tasks may start before their response has been sent: " +
		"call chimw.Attach(server) before it serves, after setting its ConnState and ConnContext, or run it with chimw.ListenAndServe")
}
