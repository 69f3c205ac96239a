package bgotel_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

const maxRunning = 4

// startApp serves a program whose requests have tasks of all kinds, and its metrics.
func startApp(t *testing.T, p servertest.Protocol) (*bgtasks.Runner, *servertest.Server) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	require.NoError(t, err)
	run := bgtasks.New(bgtasks.Config{Logger: quiet, MaxPending: 20, MaxRunning: maxRunning})
	require.NoError(t, bgotel.Instrument(run, bgotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)))))
	r := chi.NewRouter()
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	r.With(chimw.BackgroundTasks(run)).Get("/orders/{id}", busy)
	return run, servertest.Start(t, p, r)
}

// busy is a handler that adds a task of each of the names in kinds.
func busy(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	nesting := func(ctx context.Context) error {
		_ = bgtasks.Add(ctx, "nested", nothing) // refused where the runner is full
		return nil
	}
	_ = bgtasks.Add(ctx, "none", nil) // always refused, also where no load fills the runner
	err := errors.Join(
		bgtasks.Add(ctx, "good", nesting),
		bgtasks.Add(ctx, "bad", failing, bgtasks.Retry(2, bgtasks.Backoff(0, 0))),
		bgtasks.Add(ctx, "ugly", panics),
		bgtasks.Add(ctx, "skipped", nothing, bgtasks.Needs("bad")),
		bgtasks.Add(ctx, "forgotten", nothing),
	)
	if rand.N(2) == 0 {
		bgtasks.Forget(ctx, "forgotten")
	}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

var kinds = []string{"good", "bad", "ugly", "skipped", "forgotten"}

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, s *servertest.Server) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := s.Client.Get(s.URL + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	require.NoError(t, err)
	return families
}

// sum adds up the series of a metric which have that value of a label, or all.
func sum(family *dto.MetricFamily, label, value string) (n int64) {
	for _, m := range family.GetMetric() {
		labels := map[string]string{}
		for _, pair := range m.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		if label == "" || labels[label] == value {
			n += int64(m.GetCounter().GetValue()+m.GetGauge().GetValue()) + int64(m.GetHistogram().GetSampleCount())
		}
	}
	return n
}

func load(t *testing.T, s *servertest.Server, clients, requests int) {
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range requests {
				res, err := s.Client.Get(s.URL + "/orders/42")
				if !assert.NoError(t, err) {
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				assert.NoError(t, err)
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
}

// assertAgree compares all that is scraped with all that the runner says itself.
func assertAgree(t *testing.T, s bgtasks.Stats, scraped map[string]*dto.MetricFamily) {
	t.Helper()
	finished := func(result string) int64 {
		return sum(scraped["bgtasks_tasks_finished_total"], "bgtasks_task_result", result)
	}
	all := func(name string) int64 {
		assert.Contains(t, scraped, name)
		return sum(scraped[name], "", "")
	}
	assert.Equal(t, s, bgtasks.Stats{
		Accepted:   all("bgtasks_tasks_accepted_total"),
		Refused:    all("bgtasks_tasks_refused_total"),
		Pending:    all("bgtasks_tasks_pending"),
		Running:    all("bgtasks_lists_running"),
		Waiting:    all("bgtasks_lists_waiting"),
		Succeeded:  finished("succeeded"),
		Failed:     finished("failed"),
		Panicked:   finished("panicked"),
		Skipped:    finished("skipped"),
		Forgotten:  finished("forgotten"),
		Unfinished: finished("unfinished"),
	})
	ran, retried := s.Succeeded+s.Failed+s.Panicked, all("bgtasks_tasks_retried_total")
	assert.Equal(t, s.Failed, retried, "each task that failed had two attempts")
	assert.Equal(t, ran, all("bgtasks_task_wait_duration_seconds"), "each task that ran")
	assert.Equal(t, ran+retried, all("bgtasks_task_run_duration_seconds"), "each attempt")
}

// scrapeUnder scrapes until the load is over, and checks that what it gets is of the moment:
// within what the runner says before and after, but for the Add calls that are under way.
func scrapeUnder(t *testing.T, run *bgtasks.Runner, s *servertest.Server, underWay int64, done <-chan struct{}) (scrapes int) {
	for {
		select {
		case <-done:
			return scrapes
		default:
		}
		before := run.Stats().Accepted
		accepted := sum(scrape(t, s)["bgtasks_tasks_accepted_total"], "", "")
		assert.GreaterOrEqual(t, accepted, before-underWay)
		assert.LessOrEqual(t, accepted, run.Stats().Accepted)
		scrapes++
	}
}

func TestPrometheusScrapeUnderLoadAgreesWithStats(t *testing.T) {
	const clients, requests = 16, 40
	for _, p := range []servertest.Protocol{servertest.HTTP1, servertest.HTTP2} {
		t.Run(p.Name, func(t *testing.T) {
			run, s := startApp(t, p)
			done := make(chan struct{})
			go func() {
				defer close(done)
				load(t, s, clients, requests)
			}()
			scrapes := scrapeUnder(t, run, s, clients+maxRunning, done)
			require.NoError(t, run.Wait(t.Context()))
			require.Eventually(t, func() bool { return run.Stats().Running == 0 }, patience, time.Millisecond)

			stats, scraped := run.Stats(), scrape(t, s)
			t.Logf("%d scrapes under load; in the end %+v", scrapes, stats)
			assert.Positive(t, scrapes)
			assert.Positive(t, min(stats.Refused, stats.Failed, stats.Panicked, stats.Skipped, stats.Forgotten), "all kinds of endings")
			assertAgree(t, stats, scraped)
			for _, name := range kinds {
				assert.EqualValues(t, clients*requests, sum(scraped["bgtasks_tasks_accepted_total"], "bgtasks_task_name", name)+
					sum(scraped["bgtasks_tasks_refused_total"], "bgtasks_task_name", name), name)
			}
			assert.Equal(t, stats.Accepted, sum(scraped["bgtasks_tasks_accepted_total"], "http_route", "/orders/{id}"))
		})
	}
}
