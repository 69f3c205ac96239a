package chimw

import (
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// An exchange is one request and its response, with the list of its tasks: one allocation
// for all that the middleware keeps of a request. It is kept for as long as a task can see it,
// through its context, so it is small, and lets go of what is the server's when the handler has
// returned.
type exchange struct {
	list   bgtasks.List
	host   host
	writer writer
	extra  extras
	req    *http.Request // as passed on; nil once the handler has returned, and no call of the writer is under way

	next     *exchange // in conn's list
	conn     *conn     // nil where the server is not attached, and once the list has started
	epoch    uint32    // of conn, when the request began
	late     bool      // the request began after its response had been given up, or its connection
	returned bool      // next.ServeHTTP has, normally
	gone     bool      // the client has, before the handler returned
	hijacked bool      // these three as in bgtasks.Outcome
	panicked bool
	aborted  bool
}

func begin(r *bgtasks.Runner, w http.ResponseWriter, req *http.Request) *exchange {
	x := new(exchange)
	x.writer.init(x, w, req)
	x.host.init(x, w, req)
	x.req = req.WithContext(x.list.Init(r, requestContext{x}, x))
	if c := connOf(x.host.parent); c.attached() {
		x.conn, x.epoch = c, c.epoch.Load()
		// A connection that is taken over at the beginning: by middleware outside, or by
		// golang.org/x/net/http2/h2c, which upgrades it and then serves this request. Or one that speaks
		// HTTP/2: a handler has made this request itself, of its own one's context.
		x.late = !x.writer.http2 && (c.hijacked.Load() || c.speaksHTTP2()) || x.gaveUp(w)
	}
	return x
}

// serve calls the handler chain. inTask knows a handler by this function's being below it.
func (x *exchange) serve(next http.Handler, w http.ResponseWriter) {
	next.ServeHTTP(w, x.req)
	x.returned = true
}

// finish is deferred around the handler chain.
func (x *exchange) finish(in *installation) {
	w := x.writer.inner
	x.hijacked = x.writer.hijacked
	if !x.returned {
		v := recover()
		x.aborted = v == nil || v == http.ErrAbortHandler // nil: runtime.Goexit
		x.panicked = !x.aborted
		if v != nil {
			defer panic(v) // with the frames of the handler below it still
		}
	}
	if x.conn != nil && !x.writer.http2 && !x.late && x.conn.hijacked.Load() {
		x.hijacked = true
	}
	if !x.hijacked && !x.panicked && !x.aborted {
		x.writer.settled(http.StatusOK) // which net/http sends where the handler has set none
	}
	empty := x.writer.seal()
	x.giveBack()
	switch {
	case x.list.Len() > 0 && x.unheld(): // which spares a list some of what Await does
		x.noteGone()
		x.start(x.whole())
	case x.list.Await(x.outcome()):
		x.startWhenSent(in, w)
	}
	if empty { // otherwise one of the writer's methods may be looking at it
		x.req = nil
	}
	x.host.recycle()
}

// outcome is what is known of the response so far.
func (x *exchange) outcome() bgtasks.Outcome {
	o := x.writer.outcome()
	o.Hijacked, o.Panicked, o.Aborted = x.hijacked, x.panicked, x.aborted
	return o
}

// start hands the list to its runner.
func (x *exchange) start(sent bool) {
	o := x.outcome()
	o.Sent = sent
	x.conn = nil
	x.list.Start(o)
}

// whole reports whether the response, now that it is over, went out as a whole, as far as
// can be known: a failed write shows only where the handler did it.
func (x *exchange) whole() bool {
	return !x.panicked && !x.aborted && !x.gone && !x.writer.failed.Load()
}
