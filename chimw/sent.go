package chimw

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// settle is how long after net/http's last signal its last write is expected to have
// begun, where there is no signal for its end, and while other responses with tasks are ending
// on the connection, mostSettles is how many times that is waited for: net/http may be behind.
// Where the connection is not known, or the signal comes before the last frame, blindSettle is.
//
// How many tasks started before their last write, in turns, with 100 streams at once on two
// cores that had other processes to run as well: of 640,000, 8 as it is, and 250 with 5 ms once and
// for all; of 224,000, 59 with 4 ms, where 13 did with 5. With one stream, of 192,000, none, and 1
// with 5 ms.
//
// On an idle machine the runtime waits for timers in whole milliseconds, on Linux: one of
// 4 ms fires after 4.2, one of 4.1 as well as one of 5 after 5.2.
const (
	settle      = 4 * time.Millisecond
	mostSettles = 4
	blindSettle = 5 * time.Millisecond
)

// startWhenSent starts the list when the response has been sent. It does not block, and is
// called once the handler chain inside the middleware has returned: some of what is outside
// has yet to. w is the response writer outside.
func (x *exchange) startWhenSent(in *installation, w http.ResponseWriter) {
	x.noteGone()
	switch {
	case x.unheld():
		x.start(x.whole())
	case x.conn != nil && !x.writer.http2 && !x.late:
		x.conn.startWhenIdle(x)
	default:
		if x.conn == nil {
			warnNotAttached(in.runner)
		}
		x.startWhenSettled(in, w)
	}
}

// noteGone notes that the client has gone, which cancels the request's context. So does the end of
// http.Server.BaseContext, with that of all others.
func (x *exchange) noteGone() {
	x.gone = errors.Is(x.host.parent.Err(), context.Canceled) && (x.conn == nil || x.conn.base.Err() == nil || x.conn.isGone())
}

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
func (x *exchange) startWhenSettled(in *installation, w http.ResponseWriter) {
	ctx, end, c := x.host.parent, x.streamEnd(w), x.conn
	switch {
	case end == nil:
		context.AfterFunc(ctx, func() { x.startAfter(blindSettle, 1) }) // net/http ends its own when the handler chain has returned
	case c == nil:
		go func() {
			if <-end.over; end.heard {
				x.startAfter(blindSettle, 1)
			} else {
				x.start(false)
			}
		}()
	default:
		c.ending.Add(1)
		go func() {
			<-end.over
			c.ending.Add(-1)
			if end.heard {
				x.startAfter(settle, mostSettles)
			} else {
				x.startUnheard(end, in.sendTimeout)
			}
		}()
	}
}

// startUnheard is for a stream whose end has not been heard of in time, but may be yet. Otherwise the
// list starts by Config.SendTimeout, if it has not by now, or when the connection is closed.
func (x *exchange) startUnheard(end *ends, sendTimeout time.Duration) {
	limit := time.NewTimer(sendTimeout - streamEndLimit)
	defer limit.Stop()
	select {
	case <-end.source:
		x.startAfter(settle, mostSettles)
	case <-x.conn.gone:
		x.start(false)
	case <-limit.C:
	}
}

// startAfter starts the list after a settling time, which is waited for so many times at the most:
// again while other responses with tasks are ending on the connection.
func (x *exchange) startAfter(settling time.Duration, times int) {
	time.AfterFunc(settling, func() {
		// A timer's goroutine runs before those that were ready earlier, net/http's among
		// them: let these go first. With four busy goroutines on two cores that took early
		// starts from 300 of 8,000 to none.
		runtime.Gosched()
		runtime.Gosched()
		if x.conn != nil {
			x.conn.barrier()
		}
		if times > 1 && x.conn.ending.Load() > 0 {
			x.startAfter(settling, times-1)
			return
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

// warnNotAttached logs once for each runner. What a log handler does wrong is no concern of the
// response: it may panic, or end its goroutine.
func warnNotAttached(r *bgtasks.Runner) {
	if _, before := warned.LoadOrStore(weak.Make(r), true); before {
		return
	}
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		defer func() { _ = recover() }()
		warnOf(r.Logger())
	}()
	<-logged
}

func warnOf(logger *slog.Logger) {
	logger.Warn("chimw: this server is not attached, so tasks may start before their response has been sent: " +
		"call chimw.Attach(server) before it serves, after setting its ConnState and ConnContext, or run it with chimw.ListenAndServe")
}
