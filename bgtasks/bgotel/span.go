package bgotel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Attributes that the semantic conventions have no name for.
const (
	keyTask      = attribute.Key("bgtasks.task.name")
	keyAttempt   = attribute.Key("bgtasks.task.attempt")
	keyPosition  = attribute.Key("bgtasks.task.position")
	keyResult    = attribute.Key("bgtasks.task.result")
	keyList      = attribute.Key("bgtasks.list.id")
	keyRequestID = attribute.Key("bgtasks.request.id")
)

type tracing struct {
	tracer  trace.Tracer
	child   bool
	metrics *metrics
}

// around is the middleware. It runs around each attempt, and a span is an attempt's, not a
// task's. That is what the semantic conventions do where something is tried again (a span for
// each request that an HTTP client sends, for each delivery of a message), and for good
// reasons: an attempt that failed is exported when it has failed, not after pauses that may
// take minutes; a task that succeeded in the end is no success with an error in it; and a line
// in the log leads to the attempt that it is about.
func (t tracing) around(next bgtasks.Func) bgtasks.Func {
	return func(ctx context.Context) error {
		info, ok := bgtasks.InfoFrom(ctx)
		if !ok { // not in a task: somebody tries out the middleware
			return next(ctx)
		}
		ctx, span := t.start(ctx, info)
		if info.Attempt == 1 {
			t.metrics.waited(ctx, info)
		}
		began := time.Now()
		return ending(func() error { return next(ctx) }, func(err error) {
			defer span.End()
			elapsed := time.Since(began)
			if err != nil {
				span.SetStatus(codes.Error, "the error itself panics") // if one of its methods does below
			}
			result, failure := resultOf(err, context.Cause(ctx))
			t.metrics.ran(ctx, info, result, failure, elapsed)
			if err != nil && span.IsRecording() {
				describe(span, err, failure)
			}
		})
	}
}

func (t tracing) start(ctx context.Context, info bgtasks.Info) (context.Context, trace.Span) {
	opts := make([]trace.SpanStartOption, 0, 4)
	opts = append(opts, trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(attributesOf(info)...))
	if !t.child {
		opts = append(opts, trace.WithNewRoot())
		if request := trace.SpanContextFromContext(ctx); request.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: request}))
		}
	}
	return t.tracer.Start(ctx, info.Name, opts...)
}

// attributesOf are given at the start, where a sampler sees them.
func attributesOf(info bgtasks.Info) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 7)
	attrs = append(attrs,
		keyTask.String(info.Name),
		keyAttempt.Int(info.Attempt),
		keyPosition.Int(info.Position),
		keyList.Int64(int64(info.ID)),
	)
	if info.Route != "" {
		attrs = append(attrs, semconv.HTTPRoute(info.Route))
	}
	if info.Method != "" {
		attrs = append(attrs, methodOf(info.Method))
	}
	if info.RequestID != "" {
		attrs = append(attrs, keyRequestID.String(text(info.RequestID, longestID)))
	}
	return attrs
}

// methods are those that the semantic conventions know. All others, which a client may have
// made up, are to be _OTHER.
var methods = map[string]attribute.KeyValue{
	"CONNECT": semconv.HTTPRequestMethodConnect,
	"DELETE":  semconv.HTTPRequestMethodDelete,
	"GET":     semconv.HTTPRequestMethodGet,
	"HEAD":    semconv.HTTPRequestMethodHead,
	"OPTIONS": semconv.HTTPRequestMethodOptions,
	"PATCH":   semconv.HTTPRequestMethodPatch,
	"POST":    semconv.HTTPRequestMethodPost,
	"PUT":     semconv.HTTPRequestMethodPut,
	"QUERY":   semconv.HTTPRequestMethodQuery,
	"TRACE":   semconv.HTTPRequestMethodTrace,
}

func methodOf(method string) attribute.KeyValue {
	if known, ok := methods[method]; ok {
		return known
	}
	return semconv.HTTPRequestMethodOther
}

// describe notes a failure. The text of an error is the status's description; there is an
// event for a panic only, as only that has something to add, the stack.
func describe(span trace.Span, err error, failure string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(failure))
	span.SetStatus(codes.Error, text(err.Error(), longestText))
	var p *bgtasks.PanicError
	if errors.As(err, &p) {
		span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(
			semconv.ExceptionType(typeOf(p.Value)),
			semconv.ExceptionMessage(text(fmt.Sprint(p.Value), longestText)),
			semconv.ExceptionStacktrace(string(p.Stack)),
		))
	}
}

const (
	longestID   = 256 // as in log lines
	longestText = 4096
)

// text is s, or its beginning, as OTLP takes it. What a client has chosen, such as a request ID, may be long
// and need not be UTF-8, and then a whole export of spans fails.
func text(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// typeOf names the type of what a task panicked with.
func typeOf(v any) string {
	if err, ok := v.(error); ok {
		return semconv.ErrorType(err).Value.AsString()
	}
	return fmt.Sprintf("%T", v)
}
