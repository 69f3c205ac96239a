package bgotel

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// An Option changes what Instrument does.
type Option func(*config)

type config struct {
	tracers  trace.TracerProvider
	meters   metric.MeterProvider
	child    bool
	maxNames int
}

const defaultMaxNames = 100

func newConfig(opts []Option) config {
	c := config{maxNames: defaultMaxNames}
	for _, opt := range opts {
		if opt != nil {
			opt(&c)
		}
	}
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	return c
}

// WithTracerProvider says where spans go. Without it, to the global provider, also one that
// is set later.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) { c.tracers = p }
}

// WithMeterProvider says where metrics go. Without it, to the global provider, also one that
// is set later.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) { c.meters = p }
}

// WithChildSpans makes a task's span a child of the request's span, in the same trace,
// rather than a root that is linked to it. The package's documentation says what speaks
// against it; for it speaks that the sampler's decision about the request holds for its tasks.
func WithChildSpans() Option {
	return func(c *config) { c.child = true }
}

// WithMaxNames sets how many different values bgtasks.task.name, http.route and error.type may
// each have in metrics. Those that are first seen when there are that many are counted
// together as "_OTHER". Spans have all names. The default is 100; n is at least 1.
func WithMaxNames(n int) Option {
	return func(c *config) { c.maxNames = max(n, 1) }
}
