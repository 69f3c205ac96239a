package main

import (
	"net/http"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// newMetrics returns what Prometheus reads at /metrics: OpenTelemetry's metrics of the tasks, and
// those of the Go runtime, such as go_goroutines. It has to be called before the first request.
//
// Registry and provider are its own, not the global ones, so that programs in one process
// (tests) do not share their counters. Nothing has to be stopped at the end: the exporter works
// only while it is read.
func newMetrics(runner *bgtasks.Runner) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	if err := bgotel.Instrument(runner, bgotel.WithMeterProvider(meters)); err != nil {
		return nil, err
	}
	if err := registry.Register(collectors.NewGoCollector()); err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
