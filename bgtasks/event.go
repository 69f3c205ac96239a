package bgtasks

import "time"

// Kind says what an Event reports.
type Kind uint8

// A task that was accepted is reported by Accepted and, later, by exactly one of
// Finished, Skipped, Forgotten and Unfinished.
const (
	Accepted   Kind = iota + 1
	Refused         // by Add; Err is what Add returned
	Started         // its first attempt begins; Wait is the time since Add
	Retried         // an attempt failed with Err; the next follows after Wait
	Skipped         // Err wraps ErrSkipped and says why
	Forgotten       // taken back by Forget
	Finished        // Err is nil, or why the last attempt failed; Wait as for Started
	Unfinished      // named in a ShutdownError: it was running or pending at the deadline
)

var kindNames = [...]string{"", "accepted", "refused", "started", "retried", "skipped", "forgotten", "finished", "unfinished"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "unknown"
}

// An Event reports one step in the life of a task.
type Event struct {
	Kind    Kind
	Info    Info
	Outcome Outcome // the request's; zero before its list has started
	Err     error
	Wait    time.Duration
	Elapsed time.Duration // Finished: since the task started, pauses included; Retried: of the attempt
}

// Observe has fn called for every event of every task of r. Like Use it belongs to
// the setting up, and panics once a list has been opened.
//
// fn is called synchronously, by the goroutine in which the event happens, for one
// list in the order of its events and for different lists at the same time. It must
// be fast, and must not call Add, Forget, Wait or Shutdown: the list is locked while fn
// runs. A panic in fn is logged and has no other effect. Reading r.Stats is fine.
func (r *Runner) Observe(fn func(Event)) {
	if fn == nil {
		panic("bgtasks: Observe needs a function")
	}
	r.mustBeFresh("Observe")
	r.observers = append(r.observers, fn)
}

func (r *Runner) emit(e Event) {
	for _, observe := range r.observers {
		r.guard("observer", func() { observe(e) })
	}
}
