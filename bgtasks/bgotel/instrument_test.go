package bgotel_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// setGlobals sets the global providers. Only the first time in a process has an effect on
// what was made before it.
var setGlobals = sync.OnceValues(func() (*tracetest.InMemoryExporter, *sdkmetric.ManualReader) {
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	return spans, reader
})

func TestProvidersAreTheGlobalOnesAlsoIfSetLater(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: quiet})
	require.NoError(t, bgotel.Instrument(run))
	spans, reader := setGlobals()
	spans.Reset()
	ctx, list := run.Open(context.Background(), bgtasks.Info{})
	require.NoError(t, bgtasks.Add(ctx, "mail", nothing))
	list.Start(sent)
	require.NoError(t, run.Wait(context.Background()))
	assert.Len(t, spans.GetSpans(), 1)
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	assert.Len(t, all.ScopeMetrics[0].Metrics, 7, "all but refused and retried, which have no value yet")
}

func TestInstrumentBelongsToTheSettingUp(t *testing.T) {
	assert.PanicsWithValue(t, "bgotel: Instrument needs a runner: make one with bgtasks.New", func() { _ = bgotel.Instrument(nil) })
	run := bgtasks.New(bgtasks.Config{})
	run.Open(context.Background(), bgtasks.Info{})
	assert.Panics(t, func() { _ = bgotel.Instrument(run) })
}

// refusing is a meter provider that has no counters.
type refusing struct{ metricnoop.MeterProvider }

type refusingMeter struct{ metricnoop.Meter }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }
func (refusingMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errors.New("no counters here")
}

func TestRefusedInstrumentLeavesTheRunnerAsItWas(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: quiet})
	err := bgotel.Instrument(run, bgotel.WithMeterProvider(refusing{}))
	require.ErrorContains(t, err, "bgotel: no counters here")
	ctx, list := run.Open(context.Background(), bgtasks.Info{})
	require.NoError(t, bgtasks.Add(ctx, "mail", nothing))
	list.Start(sent)
	require.NoError(t, run.Wait(context.Background()))
	assert.EqualValues(t, 1, run.Stats().Succeeded)
}

func TestNilOptionsAreNone(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{Logger: quiet})
	assert.NoError(t, bgotel.Instrument(run, nil, bgotel.WithTracerProvider(nil), bgotel.WithMeterProvider(nil)))
}
