package bgotel_test

import (
	"context"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// A counting generator numbers traces and spans.
type counting struct{ traces, spans byte }

func (c *counting) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	c.traces++
	id := trace.TraceID{c.traces}
	return id, c.NewSpanID(ctx, id)
}

func (c *counting) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	c.spans++
	return trace.SpanID{c.spans}
}

// discard is a span processor that exports nothing.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// BenchmarkTask runs lists of one task, for a request with a span, from Add to the end.
func BenchmarkTask(b *testing.B) {
	recording := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))
	sampledOut := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}), sdktrace.WithSampler(sdktrace.NeverSample()))
	meters := func() bgotel.Option {
		return bgotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	}
	noMeters := bgotel.WithMeterProvider(metricnoop.NewMeterProvider())
	noTraces := bgotel.WithTracerProvider(tracenoop.NewTracerProvider())
	plain := func(r *bgtasks.Runner) {}
	with := func(opts ...bgotel.Option) func(*bgtasks.Runner) {
		return func(r *bgtasks.Runner) {
			if err := bgotel.Instrument(r, opts...); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, bench := range []struct {
		name  string
		setUp func(*bgtasks.Runner)
	}{
		{"without", plain},
		{"hooks that do nothing", func(r *bgtasks.Runner) {
			r.Use(func(next bgtasks.Func) bgtasks.Func { return func(ctx context.Context) error { return next(ctx) } })
			r.Observe(func(bgtasks.Event) {})
		}},
		{"no-op providers", with(noMeters, noTraces)},
		{"SDK metrics, no traces", with(meters(), noTraces)},
		{"SDK traces sampled out, no metrics", with(noMeters, bgotel.WithTracerProvider(sampledOut))},
		{"SDK traces, no metrics", with(noMeters, bgotel.WithTracerProvider(recording))},
		{"SDK traces and metrics", with(meters(), bgotel.WithTracerProvider(recording))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			run := bgtasks.New(bgtasks.Config{Logger: quiet, MaxPending: -1})
			bench.setUp(run)
			ctx, span := recording.Tracer("bench").Start(context.Background(), "request")
			defer span.End()
			about := bgtasks.Info{Route: "/orders/{id}", Method: "POST", RequestID: "req-1"}
			done := make(chan struct{})
			end := func(context.Context) error { done <- struct{}{}; return nil }
			b.ReportAllocs()
			for b.Loop() {
				ctx, list := run.Open(ctx, about)
				if err := bgtasks.Add(ctx, "send mail", end); err != nil {
					b.Fatal(err)
				}
				list.Start(sent)
				<-done
			}
		})
	}
}
