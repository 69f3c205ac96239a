package bgotel_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// patience turns a hang into a failure.
const patience = 30 * time.Second

var (
	sent      = bgtasks.Outcome{Status: 200, Sent: true}
	errBroken = errors.New("broken")
	quiet     = slog.New(slog.DiscardHandler)
)

func nothing(context.Context) error { return nil }
func failing(context.Context) error { return errBroken }
func panics(context.Context) error  { panic("kaboom") }

// A telemetry is a runner whose spans and metrics are kept in memory.
type telemetry struct {
	t      *testing.T
	run    *bgtasks.Runner
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

func instrument(t *testing.T, cfg bgtasks.Config, opts ...bgotel.Option) *telemetry {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	b := &telemetry{t: t, run: bgtasks.New(cfg), spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	b.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans))
	b.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))
	opts = append([]bgotel.Option{bgotel.WithTracerProvider(b.traces), bgotel.WithMeterProvider(b.meters)}, opts...)
	require.NoError(t, bgotel.Instrument(b.run, opts...))
	return b
}

// A request is one without a server: it has a list and a span, which has ended.
type request struct {
	b    *telemetry
	ctx  context.Context
	list *bgtasks.List
	span trace.SpanContext
}

func (b *telemetry) request() *request {
	ctx, span := b.traces.Tracer("test").Start(context.Background(), "request")
	ctx, list := b.run.Open(ctx, bgtasks.Info{Route: "/orders/{id}", Method: "POST", RequestID: "req-1"})
	return &request{b, ctx, list, span.SpanContext()}
}

func (r *request) add(name string, fn bgtasks.Func, opts ...bgtasks.Option) {
	r.b.t.Helper()
	require.NoError(r.b.t, bgtasks.Add(r.ctx, name, fn, opts...))
}

// finish ends the request and waits for its tasks.
func (r *request) finish() {
	r.b.t.Helper()
	trace.SpanFromContext(r.ctx).End()
	r.list.Start(sent)
	r.b.drain()
}

func (b *telemetry) drain() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(b.t, b.run.Wait(ctx))
}

// named returns the spans of that name, in the order in which they ended.
func (b *telemetry) named(name string) tracetest.SpanStubs {
	var found tracetest.SpanStubs
	for _, span := range b.spans.GetSpans() {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

func (b *telemetry) only(name string) tracetest.SpanStub {
	b.t.Helper()
	found := b.named(name)
	require.Len(b.t, found, 1, "spans named %q", name)
	return found[0]
}

// values returns attributes by name.
func values(attrs []attribute.KeyValue) map[string]any {
	all := map[string]any{}
	for _, kv := range attrs {
		all[string(kv.Key)] = kv.Value.AsInterface()
	}
	return all
}

// collect returns what has been measured, by the instrument's name.
func (b *telemetry) collect() map[string]metricdata.Metrics {
	b.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(b.t, b.reader.Collect(context.Background(), &all))
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// counts returns the values of a counter by the given attribute, summed over the others.
func (b *telemetry) counts(instrument, key string) map[string]int64 {
	b.t.Helper()
	sums := map[string]int64{}
	sum, ok := b.collect()[instrument].Data.(metricdata.Sum[int64])
	require.True(b.t, ok, "no sum named %s", instrument)
	for _, point := range sum.DataPoints {
		value, _ := point.Attributes.Value(attribute.Key(key))
		sums[value.AsString()] += point.Value
	}
	return sums
}

func (b *telemetry) total(instrument string) (n int64) {
	for _, value := range b.counts(instrument, "") {
		n += value
	}
	return n
}

// histogram returns the points of a histogram by task.
func (b *telemetry) histogram(instrument string) map[string]metricdata.HistogramDataPoint[float64] {
	b.t.Helper()
	found := map[string]metricdata.HistogramDataPoint[float64]{}
	h, ok := b.collect()[instrument].Data.(metricdata.Histogram[float64])
	require.True(b.t, ok, "no histogram named %s", instrument)
	for _, point := range h.DataPoints {
		task, _ := point.Attributes.Value("bgtasks.task.name")
		found[task.AsString()] = point
	}
	return found
}
