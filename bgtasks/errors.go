package bgtasks

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that Add returns, that a task's context has as its cause, or that an
// Event carries. Find them with errors.Is: most arrive wrapped in a text that says
// more.
var (
	// ErrNoList says that the context given to Add has no task list in it.
	ErrNoList = errors.New("bgtasks: no task list in this context: install chimw.BackgroundTasks(runner) in front of this handler and pass on the context of its request, r.Context()")

	// ErrFull says that Config.MaxPending tasks are pending already.
	ErrFull = errors.New("bgtasks: too many pending tasks (Config.MaxPending)")

	// ErrClosed says that the list takes no more tasks: it has ended, or the handler
	// has returned, after which only the list's own tasks may add, with the context
	// that they were given.
	ErrClosed = errors.New("bgtasks: the task list is closed: the handler has returned (a task adds with its own context)")

	// ErrShutdown says that the runner is shutting down. It is also the cause of the
	// contexts of those tasks that still run when the time for a shutdown is over.
	ErrShutdown = errors.New("bgtasks: the runner is shutting down")

	// ErrTimeout is the cause of a task's context that its timeout has ended, and is
	// found in the error of a task that failed after that.
	ErrTimeout = errors.New("bgtasks: the task's timeout has passed")

	// ErrSkipped is found in the error of an Event of kind Skipped; the text around it
	// says whether When, Needs or Config.StopOnError was the reason.
	ErrSkipped = errors.New("bgtasks: task skipped")

	// ErrResponseSent is what a write to a response gets after the response has been
	// sealed, which happens when its handler returns. A task that Config.SendTimeout has started
	// while its handler was stuck in a write gets it before that.
	ErrResponseSent = errors.New("bgtasks: the response has been sent: a task cannot write to it")

	// ErrGoexit is the error of a task that called runtime.Goexit (as t.FailNow does).
	ErrGoexit = errors.New("bgtasks: the task called runtime.Goexit")
)

// A PanicError is the error of a task that panicked.
type PanicError struct {
	Value any    // what the task panicked with
	Stack []byte // the stack at that moment, as runtime/debug.Stack formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("bgtasks: task panicked: %v", e.Value) }

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A ShutdownError is what Runner.Shutdown returns when its context ends before the
// tasks do.
type ShutdownError struct {
	Unfinished []Info // every accepted task that had not ended by then
	cause      error
}

// mostNames is how many unfinished tasks an error's text names.
const mostNames = 10

func (e *ShutdownError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "bgtasks: shutdown: %d unfinished: ", len(e.Unfinished))
	for i, info := range e.Unfinished {
		if i == mostNames {
			fmt.Fprintf(&b, " and %d more", len(e.Unfinished)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", brief(info.Name))
		if info.RequestID != "" {
			fmt.Fprintf(&b, " of request %q", brief(info.RequestID))
		}
		if info.Started.IsZero() {
			b.WriteString(" (not started)")
		}
	}
	fmt.Fprintf(&b, ": %v", e.cause)
	return b.String()
}

// Unwrap returns the error of the context that was given to Shutdown.
func (e *ShutdownError) Unwrap() error { return e.cause }
