package bgotel

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// TraceIDs returns a slog.Handler that passes records on to next and adds trace_id, span_id
// and trace_flags to those that are logged with the context of a span, at the top level
// also in a logger that has groups, which is where OpenTelemetry has them in formats other
// than its own. It is for handlers that write text or JSON; the logs bridge otelslog needs
// nothing, as it looks at the context itself.
//
// With it in bgtasks.Config.Logger, the lines about a task are in the trace of the task, and
// with it in the program's own logger so are those that the task writes with its context.
func TraceIDs(next slog.Handler) slog.Handler {
	if next == nil {
		panic("bgotel: TraceIDs needs a handler")
	}
	return &traceIDs{next: next}
}

// traceIDs keeps the handler from before the first group, and how to get from there to next,
// as attributes that are added to next end up in its group.
type traceIDs struct {
	next  slog.Handler
	top   slog.Handler // nil: there is no group
	steps []func(slog.Handler) slog.Handler
}

func (h *traceIDs) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *traceIDs) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return h.next.Handle(ctx, r)
	}
	ids := []slog.Attr{
		slog.String("trace_id", span.TraceID().String()),
		slog.String("span_id", span.SpanID().String()),
		slog.String("trace_flags", span.TraceFlags().String()),
	}
	if h.top == nil {
		r = r.Clone()
		r.AddAttrs(ids...)
		return h.next.Handle(ctx, r)
	}
	next := h.top.WithAttrs(ids)
	for _, step := range h.steps {
		next = step(next)
	}
	return next.Handle(ctx, r)
}

func (h *traceIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	if h.top == nil {
		return &traceIDs{next: h.next.WithAttrs(attrs)}
	}
	return h.then(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h *traceIDs) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.then(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *traceIDs) then(step func(slog.Handler) slog.Handler) slog.Handler {
	top := h.top
	if top == nil {
		top = h.next
	}
	return &traceIDs{next: step(h.next), top: top, steps: append(slices.Clip(h.steps), step)}
}
