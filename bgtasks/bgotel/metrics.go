package bgotel

import (
	"context"
	"errors"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments; doc.go has a table of them.
type metrics struct {
	accepted, refused, finished, retried metric.Int64Counter
	wait, run                            metric.Float64Histogram
	series                               *series
}

// seconds are the buckets of the histograms: those of the semantic conventions for requests,
// and, as a task has no client that waits for it, some up to ten minutes.
var seconds = metric.WithExplicitBucketBoundaries(
	.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 600)

func newMetrics(meter metric.Meter, r *bgtasks.Runner, maxNames int) (*metrics, error) {
	var errs []error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	histogram := func(name, about string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), seconds)
		errs = append(errs, err)
		return h
	}
	m := &metrics{
		accepted: counter("bgtasks.tasks.accepted", "{task}", "Tasks that were accepted."),
		refused:  counter("bgtasks.tasks.refused", "{task}", "Tasks that were refused."),
		finished: counter("bgtasks.tasks.finished", "{task}", "Accepted tasks that have come to an end, by result."),
		retried:  counter("bgtasks.tasks.retried", "{retry}", "Failed attempts after which a task was to be tried again."),
		wait:     histogram("bgtasks.task.wait.duration", "Time from when a task was added to its start."),
		run:      histogram("bgtasks.task.run.duration", "Time that an attempt of a task took."),
		series:   newSeries(maxNames),
	}
	errs = append(errs, watch(meter, r))
	return m, errors.Join(errs...)
}

// watch has the runner's own numbers of the moment read when metrics are collected.
func watch(meter metric.Meter, r *bgtasks.Runner) error {
	var errs []error
	level := func(name, unit, about string) metric.Int64ObservableUpDownCounter {
		c, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	pending := level("bgtasks.tasks.pending", "{task}", "Accepted tasks that have not come to an end.")
	running := level("bgtasks.lists.running", "{list}", "Requests whose tasks are being run, one after the other.")
	waiting := level("bgtasks.lists.waiting", "{list}", "Requests whose response has been sent and whose tasks wait for others.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := r.Stats()
		o.ObserveInt64(pending, s.Pending)
		o.ObserveInt64(running, s.Running)
		o.ObserveInt64(waiting, s.Waiting)
		return nil
	}, pending, running, waiting)
	return err
}

// observe counts. The runner calls it with the list locked: it must be fast.
func (m *metrics) observe(e bgtasks.Event) {
	switch e.Kind {
	case bgtasks.Accepted:
		m.count(m.accepted, e, "", "")
	case bgtasks.Refused:
		m.count(m.refused, e, "", refusalOf(e.Err))
	case bgtasks.Retried:
		m.count(m.retried, e, "", "")
	case bgtasks.Finished:
		result, failure := resultOf(e.Err, nil)
		m.count(m.finished, e, result, failure)
	case bgtasks.Skipped:
		m.count(m.finished, e, skipped, "")
	case bgtasks.Forgotten:
		m.count(m.finished, e, forgotten, "")
	case bgtasks.Unfinished:
		m.count(m.finished, e, unfinished, failureOf(e.Err, nil))
	}
}

func (m *metrics) count(c metric.Int64Counter, e bgtasks.Event, result, failure string) {
	l := labels{task: e.Info.Name, route: e.Info.Route, result: result, failure: failure}
	c.Add(context.Background(), 1, m.series.of(l).add...)
}

// waited and ran are called with the context of the attempt's span, for exemplars. A durable task was added
// by another clock, the database's.
func (m *metrics) waited(ctx context.Context, info bgtasks.Info) {
	l := labels{task: info.Name, route: info.Route}
	m.wait.Record(ctx, max(0, info.Started.Sub(info.Added).Seconds()), m.series.of(l).record...)
}

func (m *metrics) ran(ctx context.Context, info bgtasks.Info, result, failure string, elapsed time.Duration) {
	l := labels{task: info.Name, route: info.Route, result: result, failure: failure}
	m.run.Record(ctx, elapsed.Seconds(), m.series.of(l).record...)
}
