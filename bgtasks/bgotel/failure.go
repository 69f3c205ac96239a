package bgotel

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"go.opentelemetry.io/otel"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Values of bgtasks.task.result.
const (
	succeeded  = "succeeded"
	failed     = "failed"
	panicked   = "panicked"
	skipped    = "skipped"
	forgotten  = "forgotten"
	unfinished = "unfinished"
)

// resultOf tells how a run of a task has ended, and the error.type if it failed. cause is
// why its context has ended, or nil.
func resultOf(err, cause error) (result, failure string) {
	if err == nil {
		return succeeded, ""
	}
	failure = failureOf(err, cause)
	if failure == failedByPanic {
		return panicked, failure
	}
	return failed, failure
}

const failedByPanic = "panic"

// failureOf is the error.type of a task's error. Where the runner had to do with the failure
// that says more than a type. It joins the cause to the error of a task that failed after its
// context had ended, but does so outside of all middleware: events have it in err.
func failureOf(err, cause error) string {
	var p *bgtasks.PanicError
	switch {
	case errors.As(err, &p):
		return failedByPanic
	case errors.Is(err, bgtasks.ErrGoexit):
		return "goexit"
	case errors.Is(err, bgtasks.ErrTimeout), errors.Is(cause, bgtasks.ErrTimeout):
		return "timeout"
	case errors.Is(err, bgtasks.ErrShutdown), errors.Is(cause, bgtasks.ErrShutdown):
		return "shutdown"
	}
	return semconv.ErrorType(err).Value.AsString()
}

// refusalOf is the error.type of what Add returned.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, bgtasks.ErrFull):
		return "full"
	case errors.Is(err, bgtasks.ErrClosed):
		return "closed"
	case errors.Is(err, bgtasks.ErrShutdown):
		return "shutdown"
	}
	return other
}

// ending calls run and then tells end how it ended, also if middleware further in panicked
// (the task's own panics arrive as errors) or the task called runtime.Goexit. Both go on to
// the runner, as they would without it.
func ending(run func() error, end func(error)) error {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			safely(func() { end(bgtasks.ErrGoexit) })
			return
		}
		safely(func() { end(&bgtasks.PanicError{Value: v, Stack: debug.Stack()}) })
		panic(v)
	}()
	err := run()
	returned = true
	safely(func() { end(err) })
	return err
}

// safely keeps what panics in the telemetry of a task, such as the Error method of a nil
// pointer, from being taken for a panic of the task.
func safely(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			otel.Handle(fmt.Errorf("bgotel: panic in the telemetry of a task: %v", v))
		}
	}()
	fn()
}
