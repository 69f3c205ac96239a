package bgotel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/riandyrn/otelchi"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// The middleware that traces requests is otelchi here; nothing has to be told about it. A
// program would set its providers with otel.SetTracerProvider and otel.SetMeterProvider.
func ExampleInstrument() {
	spans := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := bgotel.Instrument(run, bgotel.WithTracerProvider(tracers)); err != nil {
		panic(err)
	}
	r := chi.NewRouter()
	r.Use(otelchi.Middleware("shop", otelchi.WithTracerProvider(tracers), otelchi.WithChiRoutes(r)))
	r.Use(chimw.BackgroundTasks(run))
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "send mail", func(context.Context) error { return nil })
		_ = bgtasks.Add(r.Context(), "call webhook", func(context.Context) error { return errors.New("no answer") })
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/orders/42", nil))
	_ = run.Wait(context.Background())

	all := spans.GetSpans()
	at := slices.IndexFunc(all, func(s tracetest.SpanStub) bool { return s.SpanKind == trace.SpanKindServer })
	request := all[at]
	fmt.Println("request:", request.Name)
	for _, span := range slices.Delete(all, at, at+1) {
		linked := span.Links[0].SpanContext.SpanID() == request.SpanContext.SpanID()
		fmt.Printf("task: %s, linked to the request: %v, error: %q\n", span.Name, linked, span.Status.Description)
	}
	// Output:
	// request: /orders/{id}
	// task: send mail, linked to the request: true, error: ""
	// task: call webhook, linked to the request: true, error: "no answer"
}

// The line about a failure that the runner writes is in the trace of the task.
func ExampleTraceIDs() {
	tracers := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(&counting{}))
	plain := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case "level", "msg", "task", "error", "trace_id", "span_id":
			return a
		}
		return slog.Attr{} // left out, for the sake of a short example
	}})
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(bgotel.TraceIDs(plain))})
	if err := bgotel.Instrument(run, bgotel.WithTracerProvider(tracers)); err != nil {
		panic(err)
	}
	handler := chimw.BackgroundTasks(run)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "call webhook", func(context.Context) error { return errors.New("no answer") })
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/orders/42", nil))
	_ = run.Wait(context.Background())
	// Output:
	// level=ERROR msg="bgtasks: task failed" task="call webhook" error="no answer" trace_id=01000000000000000000000000000000 span_id=0100000000000000
}

// Prometheus through OpenTelemetry: the exporter is a reader of the meter provider.
func Example_prometheusExporter() {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		panic(err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))

	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := bgotel.Instrument(run, bgotel.WithMeterProvider(meters)); err != nil {
		panic(err)
	}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "send mail", func(context.Context) error { return nil })
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/orders/42", nil))
	_ = run.Wait(context.Background())

	scrape := httptest.NewRecorder()
	r.ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.HasPrefix(line, "bgtasks_tasks_") {
			fmt.Print(line)
		}
	}
	// Output:
	// bgtasks_tasks_accepted_total{bgtasks_task_name="send mail",http_route="/orders/{id}"} 1
	// bgtasks_tasks_finished_total{bgtasks_task_name="send mail",bgtasks_task_result="succeeded",http_route="/orders/{id}"} 1
	// bgtasks_tasks_pending 0
}

// Prometheus without OpenTelemetry: an observer that counts, and gauges that read Stats.
func Example_prometheusDirectly() {
	finished := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tasks_finished_total"}, []string{"task", "result"})
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	run.Observe(func(e bgtasks.Event) {
		switch {
		case e.Kind != bgtasks.Finished:
		case e.Err == nil:
			finished.WithLabelValues(e.Info.Name, "succeeded").Inc()
		default:
			finished.WithLabelValues(e.Info.Name, "failed").Inc()
		}
	})
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tasks_pending"}, func() float64 {
		return float64(run.Stats().Pending)
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(finished, pending)

	ctx, list := run.Open(context.Background(), bgtasks.Info{}) // a request's, in a program
	_ = bgtasks.Add(ctx, "send mail", func(context.Context) error { return nil })
	_ = bgtasks.Add(ctx, "call webhook", func(context.Context) error { return errors.New("no answer") })
	list.Start(bgtasks.Outcome{Status: http.StatusOK})
	_ = run.Wait(context.Background())

	scrape := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			fmt.Print(line)
		}
	}
	// Output:
	// tasks_finished_total{result="failed",task="call webhook"} 1
	// tasks_finished_total{result="succeeded",task="send mail"} 1
	// tasks_pending 0
}

// hub is what is used here of *sentry.Hub.
type hub interface {
	Clone() hub
	SetTag(key, value string) // of its scope
	CaptureException(err error)
}

// Sentry, or another error tracker: middleware that gives each attempt a hub of its own and
// reports how it failed. A panic arrives as a *bgtasks.PanicError like any other error.
func Example_sentry() {
	var sentry hub = printer{} // sentry.CurrentHub()

	report := func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			err := next(ctx)
			if err != nil {
				info, _ := bgtasks.InfoFrom(ctx)
				hub := sentry.Clone()
				hub.SetTag("task", info.Name)
				hub.SetTag("route", info.Route)
				hub.CaptureException(err)
			}
			return err
		}
	}
	run := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.DiscardHandler)})
	run.Use(report)
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Post("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		_ = bgtasks.Add(r.Context(), "send mail", func(context.Context) error { return nil })
		_ = bgtasks.Add(r.Context(), "call webhook", func(context.Context) error { panic("no answer") })
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/orders/42", nil))
	_ = run.Wait(context.Background())
	// Output:
	// task: call webhook
	// route: /orders/{id}
	// captured: bgtasks: task panicked: no answer
}

// printer stands for Sentry.
type printer struct{}

func (p printer) Clone() hub             { return p }
func (printer) SetTag(key, value string) { fmt.Printf("%s: %s\n", key, value) }
func (printer) CaptureException(err error) {
	fmt.Println("captured:", err)
}
