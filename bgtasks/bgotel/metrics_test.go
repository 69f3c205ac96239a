package bgotel_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgotel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// eventful is a request whose tasks end in all ways but at a shutdown.
func eventful(b *telemetry) {
	r := b.request()
	r.add("good", nothing)
	r.add("good", nothing)
	r.add("bad", failing, bgtasks.Retry(3, bgtasks.Backoff(0, 0)))
	r.add("ugly", panics)
	r.add("skipped", nothing, bgtasks.Needs("bad"))
	r.add("forgotten", nothing)
	bgtasks.Forget(r.ctx, "forgotten")
	require.Error(b.t, bgtasks.Add(r.ctx, "nil", nil))
	r.finish()
	require.ErrorIs(b.t, bgtasks.Add(r.ctx, "late", nothing), bgtasks.ErrClosed)
}

func TestEveryTaskIsCountedByHowItEnded(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	eventful(b)
	assert.Equal(t, map[string]int64{"good": 2, "bad": 1, "ugly": 1, "skipped": 1, "forgotten": 1},
		b.counts("bgtasks.tasks.accepted", "bgtasks.task.name"))
	assert.Equal(t, map[string]int64{"succeeded": 2, "failed": 1, "panicked": 1, "skipped": 1, "forgotten": 1},
		b.counts("bgtasks.tasks.finished", "bgtasks.task.result"))
	assert.Equal(t, map[string]int64{"": 4, "*errors.errorString": 1, "panic": 1},
		b.counts("bgtasks.tasks.finished", "error.type"))
	assert.Equal(t, map[string]int64{"/orders/{id}": 6}, b.counts("bgtasks.tasks.finished", "http.route"))
	assert.Equal(t, map[string]int64{"bad": 2}, b.counts("bgtasks.tasks.retried", "bgtasks.task.name"))
	assert.Equal(t, map[string]int64{"nil": 1, "late": 1}, b.counts("bgtasks.tasks.refused", "bgtasks.task.name"))
	assert.Equal(t, map[string]int64{"_OTHER": 1, "closed": 1}, b.counts("bgtasks.tasks.refused", "error.type"))
}

func TestTasksLeftByAShutdownAreUnfinished(t *testing.T) {
	b := instrument(t, bgtasks.Config{MaxPending: 2})
	r := b.request()
	r.add("hangs", func(ctx context.Context) error { <-ctx.Done(); return nil })
	r.add("behind it", nothing)
	require.ErrorIs(t, bgtasks.Add(r.ctx, "one more", nothing), bgtasks.ErrFull)
	r.list.Start(sent)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(t, b.run.Shutdown(ctx))
	b.drain()
	r = b.request()
	require.ErrorIs(t, bgtasks.Add(r.ctx, "too late", nothing), bgtasks.ErrShutdown)
	assert.Equal(t, map[string]int64{"unfinished": 2}, b.counts("bgtasks.tasks.finished", "bgtasks.task.result"))
	assert.Equal(t, map[string]int64{"shutdown": 2}, b.counts("bgtasks.tasks.finished", "error.type"))
	assert.Equal(t, map[string]int64{"full": 1, "shutdown": 1}, b.counts("bgtasks.tasks.refused", "error.type"))
}

func TestPendingRunningAndWaitingAreThoseOfTheMoment(t *testing.T) {
	b := instrument(t, bgtasks.Config{MaxRunning: 1})
	levels := func() [3]int64 {
		return [3]int64{b.total("bgtasks.tasks.pending"), b.total("bgtasks.lists.running"), b.total("bgtasks.lists.waiting")}
	}
	assert.Equal(t, [3]int64{}, levels(), "there from the start")
	hold, started := make(chan struct{}), make(chan struct{}, 2)
	wait := func(context.Context) error { started <- struct{}{}; <-hold; return nil }
	for range 2 {
		r := b.request()
		r.add("one", wait)
		r.add("two", nothing)
		r.list.Start(sent)
	}
	<-started
	assert.Equal(t, [3]int64{4, 1, 1}, levels())
	close(hold)
	b.drain()
	require.Eventually(t, func() bool { return levels() == [3]int64{} }, patience, time.Millisecond)
}

func TestTwoRunnersWithOneProviderAddUp(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	second := bgtasks.New(bgtasks.Config{})
	require.NoError(t, bgotel.Instrument(second, bgotel.WithMeterProvider(b.meters)))
	r := b.request()
	r.add("mail", nothing)
	ctx, _ := second.Open(context.Background(), bgtasks.Info{})
	require.NoError(t, bgtasks.Add(ctx, "mail", nothing))
	assert.EqualValues(t, 2, b.total("bgtasks.tasks.pending"))
	assert.EqualValues(t, 2, b.total("bgtasks.tasks.accepted"))
	r.finish()
}

func TestTimesAreInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := instrument(t, bgtasks.Config{})
		r := b.request()
		after := func(d time.Duration, err error) bgtasks.Func {
			return func(context.Context) error { <-time.After(d); return err }
		}
		r.add("first", after(2*time.Second, nil))
		r.add("again", after(time.Second, errBroken), bgtasks.Retry(2, bgtasks.Backoff(10*time.Second, 10*time.Second)))
		<-time.After(30 * time.Second) // the handler goes on for that long
		r.finish()

		wait := b.histogram("bgtasks.task.wait.duration")
		assert.InDelta(t, 30, wait["first"].Sum, 1e-6)
		assert.InDelta(t, 32, wait["again"].Sum, 1e-6)
		assert.EqualValues(t, 1, wait["again"].Count, "once for a task")
		run := b.histogram("bgtasks.task.run.duration")
		assert.InDelta(t, 2, run["first"].Sum, 1e-6)
		assert.InDelta(t, 2, run["again"].Sum, 1e-6, "without the pause")
		assert.EqualValues(t, 2, run["again"].Count, "of each attempt")
	})
}

// A durable task was added by the clock of the database.
func TestTimeThatATaskWaitedIsNotNegative(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	about := bgtasks.Info{Name: "step", Added: time.Now().Add(time.Hour)}
	require.NoError(t, b.run.Run(context.Background(), about, nothing))
	b.drain()
	wait := b.histogram("bgtasks.task.wait.duration")["step"]
	assert.EqualValues(t, 1, wait.Count)
	assert.Zero(t, wait.Sum)
}

func TestTimesCarryTheSpanAsAnExemplar(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	r := b.request()
	r.add("mail", nothing)
	r.finish()
	span := b.only("mail").SpanContext.SpanID()
	for _, name := range []string{"bgtasks.task.wait.duration", "bgtasks.task.run.duration"} {
		point := b.histogram(name)["mail"]
		require.Len(t, point.Exemplars, 1, name)
		assert.Equal(t, span[:], point.Exemplars[0].SpanID, name)
	}
}

func TestInstrumentsHaveUnitsAndDescriptions(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	eventful(b)
	units := map[string]string{}
	for name, m := range b.collect() {
		units[name] = m.Unit
		assert.NotEmpty(t, m.Description, name)
	}
	assert.Equal(t, map[string]string{
		"bgtasks.tasks.accepted": "{task}", "bgtasks.tasks.refused": "{task}", "bgtasks.tasks.finished": "{task}",
		"bgtasks.tasks.retried": "{retry}", "bgtasks.tasks.pending": "{task}",
		"bgtasks.lists.running": "{list}", "bgtasks.lists.waiting": "{list}",
		"bgtasks.task.wait.duration": "s", "bgtasks.task.run.duration": "s",
	}, units)
}

// valuesOf are the values that an attribute has in a counter.
func (b *telemetry) valuesOf(instrument, key string) int { return len(b.counts(instrument, key)) }

func TestNamesThatAreMadeUpAreCountedTogether(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	for i := range 250 {
		ctx, list := b.run.Open(context.Background(), bgtasks.Info{Route: fmt.Sprint("/", i)})
		require.NoError(t, bgtasks.Add(ctx, fmt.Sprint("mail to customer ", i), func(context.Context) error { return kind(i) }))
		list.Start(sent)
	}
	b.drain()
	for _, key := range []string{"bgtasks.task.name", "http.route", "error.type"} {
		assert.Equal(t, 101, b.valuesOf("bgtasks.tasks.finished", key), key)
		assert.EqualValues(t, 150, b.counts("bgtasks.tasks.finished", key)["_OTHER"], key)
	}
	assert.EqualValues(t, 250, b.total("bgtasks.tasks.accepted"), "none is lost")
	assert.Len(t, b.spans.GetSpans(), 250)
	assert.Len(t, b.named("mail to customer 249"), 1, "spans have all names")
}

// kind is an error that makes up its type.
type kind int

func (k kind) Error() string     { return "broken" }
func (k kind) ErrorType() string { return fmt.Sprint("kind ", int(k)) }

func TestMaxNamesIsAnOption(t *testing.T) {
	for most, want := range map[int]map[string]int64{
		2:  {"a": 2, "b": 1, "_OTHER": 2},
		-1: {"a": 2, "_OTHER": 3},
	} {
		b := instrument(t, bgtasks.Config{}, bgotel.WithMaxNames(most))
		r := b.request()
		for _, name := range []string{"a", "b", "c", "d", "a"} {
			r.add(name, nothing)
		}
		r.finish()
		assert.Equal(t, want, b.counts("bgtasks.tasks.finished", "bgtasks.task.name"), most)
	}
}

func TestManySeriesAreStillCountedRight(t *testing.T) {
	b := instrument(t, bgtasks.Config{MaxPending: -1, MaxRunning: -1}, bgotel.WithMaxNames(1000))
	for route := range 60 {
		ctx, list := b.run.Open(context.Background(), bgtasks.Info{Route: fmt.Sprint("/", route)})
		for task := range 60 { // 3,600 pairs, more than are kept ready
			require.NoError(t, bgtasks.Add(ctx, fmt.Sprint(task), nothing))
		}
		list.Start(sent)
	}
	b.drain()
	assert.EqualValues(t, 3600, b.total("bgtasks.tasks.accepted"))
	assert.EqualValues(t, 3600, b.total("bgtasks.tasks.finished"))
}

func TestPointsHaveNoAttributeThatGrowsWithRequests(t *testing.T) {
	b := instrument(t, bgtasks.Config{})
	eventful(b)
	allowed := map[attribute.Key]bool{"bgtasks.task.name": true, "bgtasks.task.result": true, "http.route": true, "error.type": true}
	for name, m := range b.collect() {
		for _, set := range setsOf(m.Data) {
			for _, kv := range set.ToSlice() {
				assert.True(t, allowed[kv.Key], "%s has %s", name, kv.Key)
			}
		}
	}
}

func setsOf(data metricdata.Aggregation) (sets []attribute.Set) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	}
	return sets
}
