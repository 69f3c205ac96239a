package bgotel

import (
	"fmt"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"

// Instrument has r make spans and metrics of all its tasks. Call it once for a runner, before
// the first request and, so that the span is around other middleware too, before r.Use: it
// panics once a list has been opened, as Use and Observe do, and for a nil runner.
//
// An error means that the meter provider has refused an instrument; then r is as it was.
//
// Pending and running tasks are read from r whenever metrics are collected, for as long as
// the meter provider is in use. Of several runners with one meter provider the sum is
// reported.
func Instrument(r *bgtasks.Runner, opts ...Option) error {
	if r == nil {
		panic("bgotel: Instrument needs a runner: make one with bgtasks.New")
	}
	c := newConfig(opts)
	m, err := newMetrics(c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)), r, c.maxNames)
	if err != nil {
		return fmt.Errorf("bgotel: %w", err)
	}
	t := tracing{
		tracer:  c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		child:   c.child,
		metrics: m,
	}
	r.Use(t.around)
	r.Observe(m.observe)
	return nil
}
