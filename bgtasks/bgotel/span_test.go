package bgotel_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestTaskIsARootSpanWithALinkToItsRequest(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	var inside trace.SpanContext
	r.add("mail", func(ctx context.Context) error {
		inside = trace.SpanContextFromContext(ctx)
		return nil
	})
	r.finish()

	span := b.only("mail")
	assert.False(t, span.Parent.IsValid(), "a root")
	assert.NotEqual(t, r.span.TraceID(), span.SpanContext.TraceID(), "of a trace of its own")
	require.Len(t, span.Links, 1)
	assert.Equal(t, r.span.TraceID(), span.Links[0].SpanContext.TraceID())
	assert.Equal(t, r.span.SpanID(), span.Links[0].SpanContext.SpanID())
	assert.Equal(t, inside.SpanID(), span.SpanContext.SpanID(), "what the task does is in its span")
	assert.Equal(t, codes.Unset, span.Status.Code)
	assert.Empty(t, span.Events)
}

func TestTaskIsAChildSpanOfItsRequestOnDemand(t *testing.T) {
	b := instrument(t, bgtasks.Config{}, bgotel.WithChildSpans())
	r := b.request()
	r.add("mail", nothing)
	r.add("outer", func(ctx context.Context) error { return bgtasks.Add(ctx, "inner", nothing) })
	r.finish()
	for _, name := range []string{"mail", "outer", "inner"} {
		span := b.only(name)
		assert.Equal(t, r.span.TraceID(), span.SpanContext.TraceID(), name)
		assert.Equal(t, r.span.SpanID(), span.Parent.SpanID(), name)
		assert.Empty(t, span.Links, name)
	}
}

func TestTaskOfARequestThatIsNotTracedHasNoLink(t *testing.T) {
	for name, opts := range map[string][]bgotel.Option{"root": nil, "child": {bgotel.WithChildSpans()}} {
		b := instrument(t, bgtasks.Config{}, opts...)
		ctx, list := b.run.Open(context.Background(), bgtasks.Info{})
		require.NoError(t, bgtasks.Add(ctx, "mail", nothing))
		list.Start(sent)
		b.drain()
		span := b.only("mail")
		assert.Empty(t, span.Links, name)
		assert.False(t, span.Parent.IsValid(), name)
		all := values(span.Attributes)
		for _, key := range []string{"http.route", "http.request.method", "bgtasks.request.id", "error.type"} {
			assert.NotContains(t, all, key, name)
		}
	}
}

func TestSpanSaysWhichTaskOfWhichRequest(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("first", nothing)
	var info bgtasks.Info
	r.add("mail", func(ctx context.Context) error {
		info, _ = bgtasks.InfoFrom(ctx)
		return nil
	})
	r.finish()
	span := b.only("mail")
	assert.Equal(t, trace.SpanKindInternal, span.SpanKind)
	assert.Equal(t, map[string]any{
		"bgtasks.task.name": "mail", "bgtasks.task.attempt": int64(1), "bgtasks.task.position": int64(2),
		"bgtasks.list.id": int64(info.ID), "http.route": "/orders/{id}", "http.request.method": "POST",
		"bgtasks.request.id": "req-1",
	}, values(span.Attributes))
	assert.NotZero(t, info.ID)
	assert.Equal(t, "github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel", span.InstrumentationScope.Name)
	assert.Contains(t, span.InstrumentationScope.SchemaURL, "opentelemetry.io/schemas/")
}

func TestMethodThatAClientMadeUpIsOther(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	for _, method := range []string{"BREW", "QUERY"} {
		ctx, list := b.run.Open(context.Background(), bgtasks.Info{Method: method})
		require.NoError(t, bgtasks.Add(ctx, method, nothing))
		list.Start(sent)
	}
	b.drain()
	assert.Equal(t, "_OTHER", values(b.only("BREW").Attributes)["http.request.method"])
	assert.Equal(t, "QUERY", values(b.only("QUERY").Attributes)["http.request.method"])
}

func TestSamplerSeesAttributesAndLink(t *testing.T) {
	var seen sdktrace.SamplingParameters
	look := samplerFunc(func(p sdktrace.SamplingParameters) sdktrace.SamplingDecision {
		seen = p
		return sdktrace.Drop
	})
	b := instrument(t, bgtasks.Config{}, bgotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(look))))
	r := b.request()
	r.add("mail", failing)
	r.finish()
	assert.Equal(t, "mail", seen.Name)
	assert.Equal(t, int64(1), values(seen.Attributes)["bgtasks.task.attempt"])
	require.Len(t, seen.Links, 1)
	assert.Equal(t, r.span.SpanID(), seen.Links[0].SpanContext.SpanID())
	assert.EqualValues(t, 1, b.run.Stats().Failed)
}

type samplerFunc func(sdktrace.SamplingParameters) sdktrace.SamplingDecision

func (f samplerFunc) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: f(p)}
}
func (samplerFunc) Description() string { return "test" }

type brokenError struct{ what string }

func (e *brokenError) Error() string { return "broken " + e.what }

func TestFailedTaskIsAnErrorWithItsTextAndType(t *testing.T) {
	obedient := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		fn          bgtasks.Func
		opts        []bgtasks.Option
		description string
		kind        string
	}{
		"plain":   {failing, nil, "broken", "*errors.errorString"},
		"wrapped": {func(context.Context) error { return fmt.Errorf("no: %w", &brokenError{"cup"}) }, nil, "no: broken cup", "*bgotel_test.brokenError"},
		"timeout": {obedient, []bgtasks.Option{bgtasks.Timeout(time.Millisecond)}, "context deadline exceeded", "timeout"},
		"goexit": {func(context.Context) error { runtime.Goexit(); return nil }, nil,
			bgtasks.ErrGoexit.Error(), "goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := instrument(t, bgtasks.Config{})
			r := b.request()
			r.add("mail", test.fn, test.opts...)
			r.add("next", nothing)
			r.finish()
			span := b.only("mail")
			assert.Equal(t, codes.Error, span.Status.Code)
			assert.Equal(t, test.description, span.Status.Description)
			assert.Equal(t, test.kind, values(span.Attributes)["error.type"])
			assert.Empty(t, span.Events, "no exception")
			assert.EqualValues(t, 1, b.run.Stats().Failed)
			assert.Equal(t, codes.Unset, b.only("next").Status.Code)
		})
	}
}

// assertException checks that span has the event of a panic with the stack of where that was.
func assertException(t *testing.T, span tracetest.SpanStub, kind, message, frame string) {
	t.Helper()
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, "panic", values(span.Attributes)["error.type"])
	require.Len(t, span.Events, 1)
	assert.Equal(t, "exception", span.Events[0].Name)
	all := values(span.Events[0].Attributes)
	assert.Equal(t, kind, all["exception.type"])
	assert.Equal(t, message, all["exception.message"])
	assert.Contains(t, all["exception.stacktrace"], frame)
}

func TestPanicIsAnExceptionWithTheStackOfThePanic(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("text", panics)
	r.add("error", func(context.Context) error { panic(&brokenError{"cup"}) })
	r.finish()
	assertException(t, b.only("text"), "string", "kaboom", "bgotel_test.panics(")
	assertException(t, b.only("error"), "*bgotel_test.brokenError", "broken cup", "TestPanicIsAnException")
	assert.EqualValues(t, 2, b.run.Stats().Panicked)
}

func TestPanicOfMiddlewareFurtherInGoesOnAndIsRecorded(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	b.run.Use(func(bgtasks.Func) bgtasks.Func { return panics })
	r := b.request()
	r.add("mail", nothing)
	r.finish()
	assertException(t, b.only("mail"), "string", "kaboom", "bgotel_test.panics(")
	assert.EqualValues(t, 1, b.run.Stats().Panicked)
}

func TestEachAttemptIsASpanOfItsOwn(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("mail", func(ctx context.Context) error {
		if info, _ := bgtasks.InfoFrom(ctx); info.Attempt < 3 {
			return fmt.Errorf("attempt %d", info.Attempt)
		}
		return nil
	}, bgtasks.Retry(5, bgtasks.Backoff(0, 0)))
	r.finish()

	spans := b.named("mail")
	require.Len(t, spans, 3)
	traces := map[trace.TraceID]bool{}
	for i, span := range spans {
		all := values(span.Attributes)
		assert.EqualValues(t, i+1, all["bgtasks.task.attempt"])
		assert.EqualValues(t, 1, all["bgtasks.task.position"])
		assert.Equal(t, values(spans[0].Attributes)["bgtasks.list.id"], all["bgtasks.list.id"])
		require.Len(t, span.Links, 1)
		assert.Equal(t, r.span.SpanID(), span.Links[0].SpanContext.SpanID(), "the request's, not an attempt's")
		traces[span.SpanContext.TraceID()] = true
	}
	assert.Len(t, traces, 3)
	assert.Equal(t, "attempt 1", spans[0].Status.Description)
	assert.Equal(t, "attempt 2", spans[1].Status.Description)
	assert.Equal(t, codes.Unset, spans[2].Status.Code, "succeeded in the end")
}

func TestSkippedAndForgottenTasksHaveNoSpan(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("mail", failing)
	r.add("skipped", nothing, bgtasks.Needs("mail"))
	r.add("forgotten", nothing)
	require.Equal(t, 1, bgtasks.Forget(r.ctx, "forgotten"))
	r.finish()
	assert.Len(t, b.named("mail"), 1)
	assert.Empty(t, b.named("skipped"))
	assert.Empty(t, b.named("forgotten"))
}

func TestTaskAddedByATaskIsLinkedToTheRequest(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("outer", func(ctx context.Context) error { return bgtasks.Add(ctx, "inner", nothing) })
	r.finish()
	span := b.only("inner")
	require.Len(t, span.Links, 1)
	assert.Equal(t, r.span.SpanID(), span.Links[0].SpanContext.SpanID())
	assert.False(t, span.Parent.IsValid())
}

func TestTaskIsLinkedToTheSpanInWhichItWasAdded(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	ctx, inner := b.traces.Tracer("test").Start(r.ctx, "a step of the handler")
	require.NoError(t, bgtasks.Add(ctx, "mail", nothing))
	inner.End()
	r.finish()
	assert.Equal(t, inner.SpanContext().SpanID(), b.only("mail").Links[0].SpanContext.SpanID())
}

func TestBaggageOfTheRequestReachesTheTask(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	member, err := baggage.NewMember("tenant", "7")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	r := b.request()
	var tenant string
	require.NoError(t, bgtasks.Add(baggage.ContextWithBaggage(r.ctx, bag), "mail", func(ctx context.Context) error {
		tenant = baggage.FromContext(ctx).Member("tenant").Value()
		return nil
	}))
	r.finish()
	assert.Equal(t, "7", tenant)
}

func TestSpanIsAroundMiddlewareThatIsInstalledLater(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	b.run.Use(func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			trace.SpanFromContext(ctx).AddEvent("in the middleware")
			return errors.Join(next(ctx), errBroken)
		}
	})
	r := b.request()
	r.add("mail", nothing)
	r.finish()
	span := b.only("mail")
	require.Len(t, span.Events, 1)
	assert.Equal(t, codes.Error, span.Status.Code, "what middleware made of the result")
}

// A nil *hollow is an error whose text can't be had.
type hollow struct{ text string }

func (h *hollow) Error() string { return h.text }

// A trap panics when it is looked into.
type trap struct{}

func (trap) Error() string   { return "trap" }
func (trap) Is(error) bool   { panic("Is") }
func (trap) As(any) bool     { panic("As") }
func (t trap) Unwrap() error { return nil }

func TestErrorThatPanicsIsHandledAsItIsWithoutTelemetry(t *testing.T) {
	for name, err := range map[string]error{"hollow": (*hollow)(nil), "trap": trap{}} {
		plain := bgtasks.New(bgtasks.Config{Logger: quiet})
		ctx, list := plain.Open(context.Background(), bgtasks.Info{})
		require.NoError(t, bgtasks.Add(ctx, "mail", func(context.Context) error { return err }))
		list.Start(sent)
		require.NoError(t, plain.Wait(context.Background()))

		b := instrument(t, bgtasks.Config{})
		r := b.request()
		r.add("mail", func(context.Context) error { return err })
		r.finish()
		want, got := plain.Stats(), b.run.Stats()
		assert.Equal(t, [2]int64{want.Failed, want.Panicked}, [2]int64{got.Failed, got.Panicked}, name)
		assert.Equal(t, codes.Error, b.only("mail").Status.Code, name)
	}
}

// As OTLP refuses a whole export for one of them.
func TestWhatAClientChoosesIsShortAndUTF8InASpan(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	ctx, list := b.run.Open(context.Background(), bgtasks.Info{RequestID: "caf\xe9" + strings.Repeat("x", 100_000)})
	bad := "no such name: \xff" + strings.Repeat("x", 100_000)
	require.NoError(t, bgtasks.Add(ctx, "fails", func(context.Context) error { return errors.New(bad) }))
	require.NoError(t, bgtasks.Add(ctx, "panics", func(context.Context) error { panic(bad) }))
	list.Start(bgtasks.Outcome{Status: 201})
	b.drain()
	short := func(s string) {
		t.Helper()
		assert.True(t, utf8.ValidString(s))
		assert.Less(t, len(s), 5000)
	}
	for _, name := range []string{"fails", "panics"} {
		span := b.only(name)
		short(span.Status.Description)
		short(values(span.Attributes)["bgtasks.request.id"].(string))
	}
	panicked := b.only("panics").Events
	require.Len(t, panicked, 1)
	short(values(panicked[0].Attributes)["exception.message"].(string))
}
