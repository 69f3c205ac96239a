package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetricsAreNotThereUnlessAskedFor(t *testing.T) {
	t.Parallel()
	p := start(t, "-debug", "ann:secret")
	for _, header := range []http.Header{nil, basicAuth("ann", "secret")} {
		assert.Equal(t, 404, p.request("GET", "/metrics", header, nil).status)
	}
}

func TestMetricsAskForThePasswordOfTheDebugPage(t *testing.T) {
	t.Parallel()
	p := start(t, "-metrics", "-debug", "ann:secret:1")
	for who, status := range map[[2]string]int{{"ann", "secret:1"}: 200, {"ann", "secret"}: 401, {"", ""}: 401, {"bob", "secret:1"}: 401} {
		got := p.request("GET", "/metrics", basicAuth(who[0], who[1]), nil)
		assert.Equal(t, status, got.status, who)
		assert.Equal(t, status == 200, bytes.Contains(got.body, []byte("bgtasks_tasks_pending 0\n")), who)
	}
	assert.Equal(t, 401, p.request("GET", "/metrics", nil, nil).status)
}

func TestDemoShowsMetricsToAll(t *testing.T) {
	t.Parallel()
	p := start(t, "-demo")
	metrics := string(p.request("GET", "/metrics", nil, nil).body)
	assert.Contains(t, metrics, "bgtasks_tasks_pending 0\n")
	assert.Contains(t, metrics, "\ngo_goroutines ", "and what every Go program tells")
}

// Orders are placed until there have been endings of all kinds, and refusals, and metrics are
// read meanwhile. Once nothing is pending they agree with what the debug page has.
func TestMetricsUnderLoadAgreeWithTheDebugPage(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{http.StatusNoContent, http.StatusInternalServerError}[n%2])
	})
	p := start(t, "-metrics", "-debug", "ann:secret", "-faults", "-max-pending", "23", "-webhook", hook.url)

	stop := p.placesOrders(t)
	scrapes, accepted := 0, int64(0)
	eventually(t, "endings of all kinds", func() bool {
		m := p.scrape(t)
		assert.GreaterOrEqual(t, m.sum("bgtasks_tasks_accepted_total", ""), accepted, "a counter does not go back")
		accepted = m.sum("bgtasks_tasks_accepted_total", "")
		scrapes++
		c := m.counters()
		return scrapes >= 20 && min(c.Accepted, c.Refused, c.Succeeded, c.Failed, c.Panicked, c.Skipped, c.Forgotten,
			m.sum("bgtasks_tasks_retried_total", "")) > 0
	})
	stop()

	var at debugNumbers
	eventually(t, "nothing is pending", func() bool {
		at = p.debugNumbers(t)
		return at.Limits.MaxPending.Used == 0 && at.Limits.MaxRunning.Used == 0
	})
	m := p.scrape(t)
	t.Logf("%d scrapes under load; in the end %+v", scrapes, at.Counters)
	assert.Equal(t, at.Counters, m.counters())
	for _, gauge := range []string{"bgtasks_tasks_pending", "bgtasks_lists_running", "bgtasks_lists_waiting"} {
		assert.Contains(t, m, gauge)
		assert.Zero(t, m.sum(gauge, ""), gauge)
	}
	ran := at.Counters.Succeeded + at.Counters.Failed + at.Counters.Panicked
	assert.Equal(t, ran, m.sum("bgtasks_task_wait_duration_seconds", ""), "each task that ran")
	assert.Equal(t, ran+m.sum("bgtasks_tasks_retried_total", ""), m.sum("bgtasks_task_run_duration_seconds", ""), "each attempt")
}

func basicAuth(user, password string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header
}

// placesOrders has clients order, some with steps that fail, until stop is called.
func (p *program) placesOrders(t *testing.T) (stop func()) {
	end := make(chan struct{})
	var clients sync.WaitGroup
	for _, fault := range []string{"", "", "", "", "", stepInventory + "=fail", stepConfirm + "=panic", stepFulfil + "=fail"} {
		clients.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				got, err := p.tryPost(goodOrder, faultHeader, fault)
				if !assert.NoError(t, err) {
					return
				}
				assert.Contains(t, []int{http.StatusCreated, http.StatusServiceUnavailable}, got.status)
			}
		})
	}
	stop = sync.OnceFunc(func() { close(end); clients.Wait() })
	t.Cleanup(stop)
	return stop
}

// debugNumbers are what the debug page has that metrics have too.
type debugNumbers struct {
	Counters counters
	Limits   struct {
		MaxPending used `json:"max_pending"`
		MaxRunning used `json:"max_running"`
	}
}

type used struct{ Used int64 }

type counters struct {
	Accepted, Refused, Succeeded, Failed, Panicked, Skipped, Forgotten, Unfinished int64
}

func (p *program) debugNumbers(t *testing.T) (n debugNumbers) {
	t.Helper()
	got := p.request("GET", "/debug/tasks", basicAuth("ann", "secret"), nil)
	require.Equal(t, 200, got.status)
	require.NoError(t, json.Unmarshal(got.body, &n))
	return n
}

type metrics map[string]*dto.MetricFamily

// scrape reads the metrics as Prometheus does.
func (p *program) scrape(t *testing.T) metrics {
	t.Helper()
	got := p.request("GET", "/metrics", basicAuth("ann", "secret"), nil)
	require.Equal(t, 200, got.status)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(got.body))
	require.NoError(t, err)
	return families
}

func (m metrics) counters() counters {
	finished := func(result string) int64 { return m.sum("bgtasks_tasks_finished_total", result) }
	return counters{
		Accepted:   m.sum("bgtasks_tasks_accepted_total", ""),
		Refused:    m.sum("bgtasks_tasks_refused_total", ""),
		Succeeded:  finished("succeeded"),
		Failed:     finished("failed"),
		Panicked:   finished("panicked"),
		Skipped:    finished("skipped"),
		Forgotten:  finished("forgotten"),
		Unfinished: finished("unfinished"),
	}
}

// sum adds up the series of a metric with that result, or all.
func (m metrics) sum(name, result string) (n int64) {
	for _, series := range m[name].GetMetric() {
		of := ""
		for _, label := range series.GetLabel() {
			if label.GetName() == "bgtasks_task_result" {
				of = label.GetValue()
			}
		}
		if result == "" || of == result {
			n += int64(series.GetCounter().GetValue()+series.GetGauge().GetValue()) + int64(series.GetHistogram().GetSampleCount())
		}
	}
	return n
}
