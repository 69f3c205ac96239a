package bgtasks

import (
	"context"
	"time"
)

// Info says which task of which request something is about.
type Info struct {
	ID        uint64    // of the list: unique in its runner, in no particular order
	Name      string    // as given to Add
	Route     string    // the route's pattern, such as /orders/{id}; empty where unknown
	Method    string    // the request's
	RequestID string    // empty where the request has none
	Position  int       // in the list, from 1
	Attempt   int       // from 1; 0 before the task has started
	Added     time.Time // when Add accepted the task
	Started   time.Time // when its first attempt began; zero before that
}

// InfoFrom returns what is known about the task that ctx was given to. It is false in
// a handler.
func InfoFrom(ctx context.Context) (Info, bool) {
	if a, ok := attemptFrom(ctx); ok {
		return a.info(), true
	}
	return Info{}, false
}

// Outcome is what became of the response whose handler added the tasks, as far as the
// middleware that keeps the list can see it. Sent is wrong where net/http does not tell: of a client
// that resets its HTTP/2 stream after the handler has returned, for example.
type Outcome struct {
	Status   int   // 200 where the handler set none; 0 where there is no response (a panic, a hijacked connection)
	Bytes    int64 // of the body, as written by the handler
	Sent     bool  // handed to the operating system as a whole, as far as the server can know
	Hijacked bool  // the handler took the connection over
	Panicked bool  // the handler panicked, other than with http.ErrAbortHandler
	Aborted  bool  // the handler panicked with http.ErrAbortHandler or called runtime.Goexit
}

// OK reports a status below 400 from a handler that neither panicked nor aborted. It
// says nothing about whether the response reached the client.
//
//	bgtasks.When(bgtasks.Outcome.OK)
func (o Outcome) OK() bool { return o.Status < 400 && !o.Panicked && !o.Aborted }

// Failed is the opposite of OK.
func (o Outcome) Failed() bool { return !o.OK() }

// OutcomeFrom returns the outcome of the request that the task with this context
// belongs to. It is false in a handler, whose outcome is not known yet.
func OutcomeFrom(ctx context.Context) (Outcome, bool) {
	if a, ok := attemptFrom(ctx); ok && a.outcome != nil {
		return *a.outcome, true
	}
	return Outcome{}, false
}
