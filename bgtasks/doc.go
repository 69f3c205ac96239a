// Package bgtasks runs work after the response to a request has been sent.
//
// A middleware (for chi: package chimw) puts a list of tasks into each request's
// context. A handler adds to it with one call:
//
//	err := bgtasks.Add(r.Context(), "send mail", bgtasks.Bind(sendMail, order))
//
// Add does not block and does not run anything. Once the response has been sent,
// the list is run in the order in which the tasks were added, outside the request:
// the client does not wait, nor does the next request on its connection. Tasks of
// one request run one after the other; the lists of different requests run side by
// side.
//
// # What a task can rely on
//
// Its context carries the values of the context that was given to [Add] and none of
// that context's cancellation: it ends by a timeout ([Timeout], Config.TaskTimeout)
// or at the deadline of a [Runner.Shutdown], and [context.Cause] says which
// ([ErrTimeout], [ErrShutdown]).
//
// An error, a panic or [runtime.Goexit] ends that task and no other. It is logged
// once, at level Error, with the task's name and the request that it belongs to.
// Where a later task depends on an earlier one, [Needs] skips it.
//
// The list runs whatever the handler did: after an error status, a panic, a client
// that has gone. [When] restricts a task to the outcome that its author wants.
//
// # Limits
//
// Tasks are kept in memory: a killed process loses them. Their number is bounded
// (Config.MaxPending); at the limit Add returns [ErrFull] at once, while the handler
// can still answer 503. How many lists run at once is bounded as well
// (Config.MaxRunning); a list counts as one however many tasks it has, and a task
// that hangs keeps its place until it returns. [Runner.Shutdown] waits for every task
// that was accepted and names those that did not finish.
//
// # Log lines
//
// They go to Config.Logger: one at Error for each task that failed and for refusals (each kind at
// most once a second; without a list, where there is no Config, to slog.Default), at Warn for an
// attempt that is tried again, a task skipped because of another and a response that is not sent
// in time, at Debug for a task that succeeded. The message is constant; what a
// user may have had a hand in is in the attributes task, route, method, request_id, list,
// position, attempt, error, duration and stack, which slog's handlers quote.
//
// [ProfileLabels] labels profiles with the task's name.
//
// # Integrations
//
// This package knows nothing of HTTP. What connects it to a router uses
// [Runner.Open] or [List.Init], [List.Await] and [List.Start]; see [Host].
package bgtasks
