// Package bgotel shows background tasks in OpenTelemetry: a span for each run of a task,
// metrics of all tasks, and the IDs of trace and span in log lines.
//
//	run := bgtasks.New(bgtasks.Config{Logger: slog.New(bgotel.TraceIDs(handler))})
//	err := bgotel.Instrument(run)
//
// It works beside any tracing middleware for HTTP that puts its span into the request's
// context, such as otelchi and otelhttp, inside or outside of chimw.BackgroundTasks. The
// request's own span and its latency have no task time in them: both end when the handler
// has returned, before the first task starts.
//
// # Spans
//
// Each attempt of a task is a span of its own, of kind internal and named after the task:
// tasks should have names that do not vary, and take what varies as arguments. By default
// the span is the root of a new trace, with a link to the span in the context that was given
// to bgtasks.Add, which is the request's. [WithChildSpans] makes it a child of that instead.
//
// A link is the default because the trace of the request is over by then: its span has ended
// and may have been exported, and a collector that samples whole traces may have decided.
// Children that outlive their parent are drawn badly by several viewers
// (open-telemetry/opentelemetry-python-contrib#4251), and a trace that goes on for a minute
// looks like a slow request (#1684 there). The price is that the sampler decides about the
// task by itself: one that keeps a trace in a hundred keeps the request and its task of one
// in ten thousand.
//
// A task that was added by a task is linked to the request's span as well. A skipped task
// has no span, as nothing ran; it is counted.
//
// Attributes of the span are bgtasks.task.name, bgtasks.task.attempt (from 1),
// bgtasks.task.position (in the request's list, from 1), bgtasks.list.id, and, where they are
// known, http.route, http.request.method and bgtasks.request.id. The attempts of one task
// have list and position in common.
//
// An attempt that fails has status Error with the error's text, and error.type: "timeout",
// "shutdown", "panic", "goexit", or what the semantic conventions make of the error's type. A
// panic is also recorded as an event "exception", with the stack of the panic.
//
// # Metrics
//
//	bgtasks.tasks.accepted     counter                   {task}   task, route
//	bgtasks.tasks.refused      counter                   {task}   task, route, error.type
//	bgtasks.tasks.finished     counter                   {task}   task, route, result, error.type
//	bgtasks.tasks.retried      counter                   {retry}  task, route
//	bgtasks.tasks.pending      asynchronous up-down c.   {task}   accepted and not finished
//	bgtasks.lists.running      asynchronous up-down c.   {list}   requests whose tasks run
//	bgtasks.lists.waiting      asynchronous up-down c.   {list}   requests whose tasks wait for Config.MaxRunning
//	bgtasks.task.wait.duration histogram                 s        task, route: from Add to the start
//	bgtasks.task.run.duration  histogram                 s        task, route, result, error.type: of each attempt
//
// Here task stands for the attribute bgtasks.task.name, route for http.route and result for
// bgtasks.task.result, which is succeeded, failed, panicked, skipped, forgotten or
// unfinished. Every accepted task is finished exactly once, so that accepted = pending +
// finished, with the numbers of bgtasks.Stats. The error.type of a refused task is "full",
// "closed" or "shutdown", else "_OTHER"; the others have that of their spans.
//
// Durations are recorded in the task's span, so they carry exemplars.
//
// The number of series is bounded: when a hundred task names ([WithMaxNames]) have been seen,
// the others are counted as "_OTHER", and so are routes and error types.
//
// # Without OpenTelemetry
//
// All this is made from two hooks that the runner has for everybody, bgtasks.Runner.Use and
// bgtasks.Runner.Observe. The examples show how to serve Prometheus directly, or an error
// tracker such as Sentry, from them.
package bgotel
