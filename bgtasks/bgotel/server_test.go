package bgotel_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/riandyrn/otelchi"
	chimetric "github.com/riandyrn/otelchi/metric"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A neighbour is another's middleware that traces requests, and where it is.
type neighbour struct {
	name string
	// around returns the handler that is served, given what is to be done about r's routes.
	around func(b *telemetry, routes func(chi.Router)) http.Handler
}

var neighbours = []neighbour{
	{"otelchi outside", func(b *telemetry, routes func(chi.Router)) http.Handler {
		r := chi.NewRouter()
		r.Use(otelchiOf(b, r), middleware.RequestID, chimw.BackgroundTasks(b.run))
		routes(r)
		return r
	}},
	{"otelchi inside", func(b *telemetry, routes func(chi.Router)) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, chimw.BackgroundTasks(b.run), otelchiOf(b, r))
		routes(r)
		return r
	}},
	{"otelhttp around the router", func(b *telemetry, routes func(chi.Router)) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, chimw.BackgroundTasks(b.run))
		routes(r)
		return otelhttpAround(b, r)
	}},
	{"otelhttp inside", func(b *telemetry, routes func(chi.Router)) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, chimw.BackgroundTasks(b.run), func(next http.Handler) http.Handler { return otelhttpAround(b, next) })
		routes(r)
		return r
	}},
}

func otelchiOf(b *telemetry, r chi.Routes) func(http.Handler) http.Handler {
	latency := chimetric.NewRequestDurationMillis(chimetric.NewBaseConfig("shop", chimetric.WithMeterProvider(b.meters)))
	traced := otelchi.Middleware("shop", otelchi.WithTracerProvider(b.traces), otelchi.WithChiRoutes(r))
	return func(next http.Handler) http.Handler { return traced(latency(next)) }
}

func otelhttpAround(b *telemetry, h http.Handler) http.Handler {
	return otelhttp.NewHandler(h, "shop", otelhttp.WithTracerProvider(b.traces), otelhttp.WithMeterProvider(b.meters))
}

// beside runs test over every protocol, with every neighbour.
func beside(t *testing.T, test func(t *testing.T, p servertest.Protocol, n neighbour)) {
	for _, p := range servertest.Protocols {
		for _, n := range neighbours {
			t.Run(fmt.Sprintf("%s/%s", p.Name, strings.ReplaceAll(n.name, " ", "_")), func(t *testing.T) {
				t.Parallel()
				test(t, p, n)
			})
		}
	}
}

// order is a handler whose tasks end in all ways.
func order(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		add := func(name string, fn bgtasks.Func, opts ...bgtasks.Option) {
			assert.NoError(t, bgtasks.Add(r.Context(), name, fn, opts...))
		}
		add("reserve", nothing)
		add("mail", func(ctx context.Context) error {
			if info, _ := bgtasks.InfoFrom(ctx); info.Attempt == 1 {
				return errBroken
			}
			return nil
		}, bgtasks.Retry(3, bgtasks.Backoff(0, 0)))
		add("webhook", panics)
		add("invoice", nothing, bgtasks.Needs("webhook"))
		add("audit", failing)
		w.WriteHeader(http.StatusCreated)
	}
}

// requestSpan waits for the one span of kind server, that of the request. The client may have
// the response before it ends.
func (b *telemetry) requestSpan() (span tracetest.SpanStub) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		for _, s := range b.spans.GetSpans() {
			if s.SpanKind == trace.SpanKindServer {
				span = s
				return true
			}
		}
		return false
	}, patience, time.Millisecond)
	return span
}

func TestTraceOfAnOrder(t *testing.T) {
	beside(t, func(t *testing.T, p servertest.Protocol, n neighbour) {
		for name, opts := range map[string][]bgotel.Option{"link": nil, "child": {bgotel.WithChildSpans()}} {
			t.Run(name, func(t *testing.T) {
				b := instrument(t, bgtasks.Config{}, opts...)
				s := servertest.Start(t, p, n.around(b, func(r chi.Router) { r.Get("/orders/{id}", order(t)) }))
				res, _, err := s.Get(t.Context(), "/orders/42")
				require.NoError(t, err)
				require.Equal(t, http.StatusCreated, res.StatusCode)
				request := b.requestSpan()
				b.drain()

				assert.Len(t, b.spans.GetSpans(), 1+5, "the request, four tasks, one of them twice")
				assert.Empty(t, b.named("invoice"), "skipped")
				var last time.Time
				for _, want := range []struct {
					name   string
					tries  int
					status codes.Code
				}{{"reserve", 1, codes.Unset}, {"mail", 2, codes.Unset}, {"webhook", 1, codes.Error}, {"audit", 1, codes.Error}} {
					spans := b.named(want.name)
					require.Len(t, spans, want.tries, want.name)
					assert.Equal(t, want.status, spans[want.tries-1].Status.Code, want.name)
					for _, span := range spans {
						assert.False(t, span.StartTime.Before(request.EndTime), "%s starts %v before the request's span ends",
							want.name, request.EndTime.Sub(span.StartTime))
						assert.False(t, span.StartTime.Before(last), "one after the other")
						last = span.EndTime
						assertBelongs(t, request, span, name)
					}
				}
				assert.Equal(t, codes.Error, b.named("mail")[0].Status.Code, "the first attempt")
				assert.Len(t, b.only("webhook").Events, 1)
			})
		}
	})
}

func assertBelongs(t *testing.T, request, span tracetest.SpanStub, how string) {
	t.Helper()
	if how == "child" {
		assert.Equal(t, request.SpanContext.SpanID(), span.Parent.SpanID())
		assert.Equal(t, request.SpanContext.TraceID(), span.SpanContext.TraceID())
		assert.Empty(t, span.Links)
	} else {
		assert.False(t, span.Parent.IsValid())
		assert.NotEqual(t, request.SpanContext.TraceID(), span.SpanContext.TraceID())
		require.Len(t, span.Links, 1)
		assert.Equal(t, request.SpanContext.SpanID(), span.Links[0].SpanContext.SpanID())
		assert.Equal(t, request.SpanContext.TraceID(), span.Links[0].SpanContext.TraceID())
	}
	all := values(span.Attributes)
	assert.Equal(t, "/orders/{id}", all["http.route"])
	assert.Equal(t, "GET", all["http.request.method"])
	assert.NotEmpty(t, all["bgtasks.request.id"])
}

// requests counts those whose latency has been measured.
func (b *telemetry) requests() (n uint64) {
	for name, m := range b.collect() {
		switch name {
		case "http.server.request.duration": // otelhttp
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				n += p.Count
			}
		case "request_duration_millis": // otelchi
			for _, p := range m.Data.(metricdata.Histogram[int64]).DataPoints {
				n += p.Count
			}
		}
	}
	return n
}

// A latency that has been measured while the task still runs has none of its time in it.
func TestLatencyOfARequestIsMeasuredWhileItsTasksRun(t *testing.T) {
	beside(t, func(t *testing.T, p servertest.Protocol, n neighbour) {
		b := instrument(t, bgtasks.Config{})
		hold, started := make(chan struct{}), make(chan struct{})
		s := servertest.Start(t, p, n.around(b, func(r chi.Router) {
			r.Get("/", func(_ http.ResponseWriter, r *http.Request) {
				assert.NoError(t, bgtasks.Add(r.Context(), "slow", func(context.Context) error {
					close(started)
					<-hold
					return nil
				}))
			})
		}))
		_, _, err := s.Get(t.Context(), "/")
		require.NoError(t, err)
		<-started
		assert.EqualValues(t, 1, b.requests(), "measured before the task started")
		assert.Equal(t, trace.SpanKindServer, b.requestSpan().SpanKind)
		assert.Empty(t, b.named("slow"))
		close(hold)
		b.drain()
		assert.EqualValues(t, 1, b.requests())
		assert.Len(t, b.named("slow"), 1)
	})
}
