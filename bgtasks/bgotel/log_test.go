package bgotel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/slogtest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// A logBook keeps lines of JSON.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for raw := range bytes.Lines(b.buf.Bytes()) {
		line := map[string]any{}
		require.NoError(t, json.Unmarshal(raw, &line))
		lines = append(lines, line)
	}
	return lines
}

// keeping returns a handler that writes to a book.
func keeping() (*logBook, slog.Handler) {
	book := &logBook{}
	return book, slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})
}

func assertIDs(t *testing.T, span trace.SpanContext, line map[string]any) {
	t.Helper()
	assert.Equal(t, span.TraceID().String(), line["trace_id"], line["msg"])
	assert.Equal(t, span.SpanID().String(), line["span_id"], line["msg"])
}

func TestLinesOfATaskAndAboutItAreInItsTrace(t *testing.T) {
	book, plain := keeping()
	logger := slog.New(bgotel.TraceIDs(plain))
	b := instrument(t, bgtasks.Config{Logger: logger})
	r := b.request()
	logger.InfoContext(r.ctx, "the handler's own")
	r.add("mail", func(ctx context.Context) error {
		logger.InfoContext(ctx, "the task's own")
		return errBroken
	}, bgtasks.Retry(2, bgtasks.Backoff(0, 0)))
	r.add("panic", panics)
	r.finish()

	lines := book.lines(t)
	require.Len(t, lines, 6)
	assertIDs(t, r.span, lines[0])
	mail := b.named("mail")
	require.Len(t, mail, 2)
	assertIDs(t, mail[0].SpanContext, lines[1])
	assert.Contains(t, lines[2]["msg"], "tried again")
	assertIDs(t, mail[0].SpanContext, lines[2])
	assertIDs(t, mail[1].SpanContext, lines[3])
	assert.Contains(t, lines[4]["msg"], "task failed")
	assertIDs(t, mail[1].SpanContext, lines[4])
	assert.Contains(t, lines[5]["msg"], "task panicked")
	assertIDs(t, b.only("panic").SpanContext, lines[5])
}

func TestRefusalIsInTheTraceOfTheRequest(t *testing.T) {
	book, plain := keeping()
	b := instrument(t, bgtasks.Config{Logger: slog.New(bgotel.TraceIDs(plain))})
	r := b.request()
	require.Error(t, bgtasks.Add(r.ctx, "nil", nil))
	r.finish()
	lines := book.lines(t)
	require.Len(t, lines, 1)
	assertIDs(t, r.span, lines[0])
}

func TestTraceIDsAreAtTheTopLevel(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	ctx, span := b.traces.Tracer("test").Start(context.Background(), "span")
	defer span.End()
	book, plain := keeping()
	logger := slog.New(bgotel.TraceIDs(plain)).With("a", 1)
	logger.WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "in groups", "c", 3)
	logger.WithGroup("g").Info("without a span", "c", 3)
	logger.InfoContext(ctx, "without a group", "c", 3)

	lines := book.lines(t)
	require.Len(t, lines, 3)
	assertIDs(t, span.SpanContext(), lines[0])
	assert.Equal(t, "01", lines[0]["trace_flags"])
	assert.EqualValues(t, 1, lines[0]["a"])
	assert.Equal(t, map[string]any{"b": 2.0, "h": map[string]any{"c": 3.0}}, lines[0]["g"])
	assert.NotContains(t, lines[1], "trace_id")
	assert.Equal(t, map[string]any{"c": 3.0}, lines[1]["g"])
	assertIDs(t, span.SpanContext(), lines[2])
	assert.EqualValues(t, 3, lines[2]["c"])
}

// Loggers that branch off from one another must not share what they add.
func TestLoggersWithTraceIDsBranch(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	ctx, span := b.traces.Tracer("test").Start(context.Background(), "span")
	defer span.End()
	book, plain := keeping()
	trunk := slog.New(bgotel.TraceIDs(plain)).WithGroup("g").With("a", 1).With("b", 2)
	left, right := trunk.With("left", true), trunk.With("right", true)
	left.InfoContext(ctx, "left")
	right.InfoContext(ctx, "right")
	lines := book.lines(t)
	assert.Equal(t, map[string]any{"a": 1.0, "b": 2.0, "left": true}, lines[0]["g"])
	assert.Equal(t, map[string]any{"a": 1.0, "b": 2.0, "right": true}, lines[1]["g"])
}

// withSpan has all that passes be logged in a span.
type withSpan struct {
	slog.Handler
	span trace.SpanContext
}

func (h withSpan) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(trace.ContextWithSpanContext(ctx, h.span), r)
}
func (h withSpan) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withSpan{h.Handler.WithAttrs(attrs), h.span}
}
func (h withSpan) WithGroup(name string) slog.Handler {
	return withSpan{h.Handler.WithGroup(name), h.span}
}

func TestTraceIDsIsAHandlerLikeAnyOther(t *testing.T) {
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for name, span := range map[string]trace.SpanContext{"without span": {}, "in a span": span} {
		t.Run(name, func(t *testing.T) {
			var book *logBook
			slogtest.Run(t, func(*testing.T) slog.Handler {
				b, plain := keeping()
				book = b
				return withSpan{bgotel.TraceIDs(plain), span}
			}, func(t *testing.T) map[string]any { return book.lines(t)[0] })
		})
	}
	assert.Panics(t, func() { bgotel.TraceIDs(nil) })
}

// A recorder is an OpenTelemetry log processor that keeps what it gets.
type recorder struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (r *recorder) OnEmit(_ context.Context, rec *sdklog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, rec.Clone())
	return nil
}
func (*recorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*recorder) Shutdown(context.Context) error                         { return nil }
func (*recorder) ForceFlush(context.Context) error                       { return nil }

func TestBridgeOtelslogNeedsNothing(t *testing.T) {
	records := &recorder{}
	bridge := otelslog.NewHandler("test", otelslog.WithLoggerProvider(sdklog.NewLoggerProvider(sdklog.WithProcessor(records))))
	b := instrument(t, bgtasks.Config{Logger: slog.New(bridge)})
	r := b.request()
	r.add("mail", failing)
	r.finish()
	// The bridge is asked for debug lines too: the failure is the one at Error.
	var found []sdklog.Record
	for _, rec := range records.records {
		if rec.SeverityText() == "ERROR" {
			found = append(found, rec)
		}
	}
	require.Len(t, found, 1)
	assert.Equal(t, b.only("mail").SpanContext.SpanID(), found[0].SpanID())
	assert.Equal(t, b.only("mail").SpanContext.TraceID(), found[0].TraceID())
}
