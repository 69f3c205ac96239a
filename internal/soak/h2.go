package main

import (
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// What HTTP/2 lets a client do to its streams, over TLS and in cleartext.

// h2Stages are where a stream is reset.
var h2Stages = []string{"h2 reset at once", "h2 reset in body", "h2 reset after request", "h2 reset later", "h2 reset in answer",
	"h2 reset after answer", "h2 connection reset"}

const h2Body = 5000 // bytes of a request's

// resetStream resets a stream at any stage, between two others of its connection, which must
// come to no harm.
func (c *client) resetStream() {
	f := c.dialFramed(c.random.IntN(2) == 0, 1<<16-1)
	if f == nil {
		return
	}
	defer f.close()
	f.read = f.allow
	before := c.askUnwatched()
	q := c.askUnwatched()
	q.Size += c.random.IntN(2) * 500_000
	first := f.ask(before, 0)
	stage := c.random.IntN(len(h2Stages))
	c.report.fault(h2Stages[stage])
	if !c.resetAt(f, q, stage) {
		return
	}
	after := c.askUnwatched()
	second := f.ask(after, 0)
	c.finishBeside(f, before, first)
	c.finishBeside(f, after, second)
}

// askUnwatched makes up a request whose answer's end the server is not to look out for: it may
// be split over frames, or withdrawn.
func (c *client) askUnwatched() plan.Request {
	q := c.ask()
	q.Unwatched = true
	return q
}

// resetAt asks for q and resets its stream; false if its connection is gone as well.
func (c *client) resetAt(f *framed, q plan.Request, stage int) bool {
	stream := f.ask(q, h2Body)
	var err error
	switch stage {
	case 0:
	case 1:
		f.send(stream, c.random.IntN(h2Body), false)
	default:
		f.send(stream, h2Body, true)
	}
	switch stage {
	case 3:
		time.Sleep(time.Duration(c.random.IntN(3000)) * time.Microsecond) // anywhere in the handler or after it
	case 4:
		most := c.random.IntN(q.Size + 1)
		err = f.until(stream, func(a *answer) bool { return a.whole || a.StatusCode != 0 && len(a.body) >= most })
	case 5:
		err = c.finish(f, q, stream)
	case 6:
		_ = f.tcp.SetLinger(0)
		return false
	}
	f.reset(stream)
	delete(f.answers, stream) // what is on its way is nobody's
	return err == nil
}

// finish reads the whole of the answer to q.
func (c *client) finish(f *framed, q plan.Request, stream uint32) error {
	err := f.until(stream, whole)
	a := f.answers[stream]
	if a.reset && q.End != "" {
		c.report.fault("handler panics or aborts")
	}
	if a.StatusCode != 0 {
		c.check(q, &a.Response, a.body, a.whole)
	}
	return err
}

// finishBeside does so for a request beside a stream that came to harm: it has to be answered,
// except in a shutdown.
func (c *client) finishBeside(f *framed, q plan.Request, stream uint32) {
	err := c.finish(f, q, stream)
	switch {
	case q.End != "":
	case err == nil && f.answers[stream].whole:
		c.report.isAnsweredBeside()
	case !c.t.terminated.Load():
		c.report.breaks("no answer to %s, beside a stream that was reset or never read: %v", q.ID, err)
	}
}

const tinyWindow = 2000 // bytes

// readStreamSlowly gives leave to send a little of a large answer at a time.
func (c *client) readStreamSlowly() {
	f := c.dialFramed(c.random.IntN(2) == 0, tinyWindow)
	if f == nil {
		return
	}
	defer f.close()
	c.report.fault("h2 slow reader")
	f.read = func(stream uint32, n int) {
		select {
		case <-time.After(2 * time.Millisecond): // is what makes it slow
		case <-c.done:
		case <-c.t.exited:
		}
		f.allow(stream, n)
	}
	q := c.askUnwatched()
	q.Size = 300_000
	_ = c.finish(f, q, f.ask(q, 0))
}

// neverReadStream gives no leave to send more of a large answer. Its tasks, a shutdown and
// the other stream of its connection must go on all the same.
func (c *client) neverReadStream() {
	f := c.dialFramed(c.random.IntN(2) == 0, tinyWindow)
	if f == nil {
		return
	}
	defer f.close()
	c.report.fault("h2 client never reads")
	q, other := c.askUnwatched(), c.askUnwatched()
	q.Size, q.End = 20_000_000, ""
	other.Size = c.random.IntN(tinyWindow / 2)
	f.ask(q, 0)
	c.finishBeside(f, other, f.ask(other, 0))
	select {
	case <-time.After(time.Duration(1+c.random.IntN(4)) * time.Second):
	case <-c.t.exited:
	case <-c.done:
	}
}
