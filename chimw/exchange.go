package chimw

import (
	"context"
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// An exchange is one request and its response, with the list of its tasks: one allocation
// for all that the middleware keeps of a request.
type exchange struct {
	writer
	list bgtasks.List
	host host
	req  *http.Request // as passed on

	runner   *bgtasks.Runner
	methods  http.ResponseWriter // the writer with the methods of the original
	conn     *conn               // nil where the server is not attached
	epoch    uint64              // of conn, when the request began
	late     bool                // the request began after its response had been given up, or its connection
	returned bool                // next.ServeHTTP has, normally
	outcome  bgtasks.Outcome
	next     *exchange // in conn's list
}

func begin(r *bgtasks.Runner, w http.ResponseWriter, req *http.Request) *exchange {
	x := &exchange{runner: r}
	x.writer.init(w, req, &x.list)
	x.methods = withMethods[methodsOf(w)](&x.writer)
	x.host.init(x, req)
	x.req = req.WithContext(x.list.Init(r, requestContext{&x.host}, &x.host))
	if c := connOf(req.Context()); c.attached() {
		x.conn, x.epoch = c, c.epoch.Load()
		// A connection that is taken over at the beginning: by middleware outside, or by
		// golang.org/x/net/http2/h2c, which upgrades it and then serves this request.
		x.late = c.hijacked.Load() && !x.http2 || x.host.gaveUp()
	}
	return x
}

// finish is deferred around the handler chain.
func (x *exchange) finish() {
	x.outcome = x.writer.outcome()
	x.outcome.Hijacked = x.writer.hijacked
	if !x.returned {
		v := recover()
		x.outcome.Aborted = v == nil || v == http.ErrAbortHandler // nil: runtime.Goexit
		x.outcome.Panicked = !x.outcome.Aborted
		if v != nil {
			defer panic(v) // with the frames of the handler below it still
		}
	}
	if x.conn != nil && !x.http2 && !x.late && x.conn.hijacked.Load() {
		x.outcome.Hijacked = true
	}
	x.settleStatus()
	x.writer.seal()
	x.host.giveBack()
	if x.list.Await(x.outcome) {
		x.startWhenSent()
	} else {
		x.host.recycle()
	}
}

// settleStatus sets the status that net/http sends where the handler has set none.
func (x *exchange) settleStatus() {
	o := &x.outcome
	if o.Status == 0 && !o.Hijacked && !o.Panicked && !o.Aborted {
		o.Status = http.StatusOK
	}
}

// start hands the list to its runner.
func (x *exchange) start(sent bool) {
	o := x.outcome
	o.Sent = sent
	x.list.Start(o)
}

// whole reports whether the response, now that it is over, went out as a whole, as far as
// can be known: a failed write shows only where the handler did it.
func (x *exchange) whole() bool {
	return !x.outcome.Panicked && !x.outcome.Aborted && x.writer.failed == nil && !x.host.gone
}

// requestContext is the context of the request, with chi's route context replaced by a
// copy once the request is over. It is a pointer, so making one does not allocate.
type requestContext struct{ *host }

var _ context.Context = requestContext{}
