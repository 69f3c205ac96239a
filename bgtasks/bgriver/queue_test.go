package bgriver_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

func TestUnitRunsItsStepsInOrderAfterTheResponse(t *testing.T) {
	both(t, unitRunsInOrder[*sql.Tx], unitRunsInOrder[pgx.Tx])
}

func unitRunsInOrder[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	first, second := j.noting("first"), j.noting("second")
	s := b.site(t, quick(first, second))
	ctx, answer := s.request(t)
	require.NoError(t, s.Add(ctx, first.With("a"), second.With("b"), first.With("c")))
	jobs := s.jobs(t)
	require.Len(t, jobs, 1, "one job for all steps")
	assert.Equal(t, rivertype.JobStateScheduled, jobs[0].State)
	assert.WithinDuration(t, time.Now().Add(30*time.Second), jobs[0].ScheduledAt, 5*time.Second)
	j.note("answered")
	answer()
	answered := time.Now()
	s.until(t, rivertype.JobStateCompleted)
	assert.Less(t, time.Since(answered), 15*time.Second, "long before its lease is over")
	assert.Equal(t, []string{"answered", "first a", "second b", "first c"}, j.all())
	stats := s.run.Stats()
	assert.Equal(t, []int64{3, 3, 0}, []int64{stats.Accepted, stats.Succeeded, stats.Pending})
}

func TestSlowTaskInMemoryDoesNotHoldTheUnit(t *testing.T) {
	both(t, slowTaskInMemory[*sql.Tx], slowTaskInMemory[pgx.Tx])
}

func slowTaskInMemory[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	hang := make(chan struct{})
	require.NoError(t, bgtasks.Add(ctx, "slow", func(context.Context) error { <-hang; return nil }))
	require.NoError(t, s.Add(ctx, step.With("x")))
	answer()
	s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"step x"}, j.all())
	close(hang)
}

func TestSameDefinitionInMemory(t *testing.T) {
	b := newSQLite(t)
	var j journal
	keys := make(chan string, 2)
	step := bgriver.Define("step", func(ctx context.Context, arg string) error {
		j.note("step " + arg)
		keys <- bgriver.Key(ctx)
		return nil
	})
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	require.NoError(t, bgriver.Add(ctx, step.With("a"), step.With("b")))
	answer()
	require.NoError(t, s.run.Wait(t.Context()))
	assert.Equal(t, []string{"step a", "step b"}, j.all())
	assert.Empty(t, s.jobs(t))
	assert.NotEqual(t, <-keys, <-keys)
	assert.ErrorIs(t, bgriver.Add(t.Context(), step.With("a")), bgtasks.ErrNoList)
}

func TestUnitIsStoredWithTheHandlersTransactionOrNotAtAll(t *testing.T) {
	both(t, withTheTransaction[*sql.Tx], withTheTransaction[pgx.Tx])
}

func withTheTransaction[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))

	ctx, answer := s.request(t)
	tx, _, rollback, err := b.begin(ctx)
	require.NoError(t, err)
	require.NoError(t, b.exec(ctx, tx, "INSERT INTO done VALUES ('order 1')"))
	require.NoError(t, s.AddTx(ctx, tx, step.With("of order 1")))
	require.NoError(t, rollback())
	answer()
	assert.Empty(t, s.jobs(t), "rolled back")

	ctx, answer = s.request(t)
	tx, commit, _, err := b.begin(ctx)
	require.NoError(t, err)
	require.NoError(t, b.exec(ctx, tx, "INSERT INTO done VALUES ('order 2')"))
	require.NoError(t, s.AddTx(ctx, tx, step.With("of order 2")))
	require.NoError(t, commit())
	answer()
	s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"step of order 2"}, j.all())
	assert.Equal(t, []string{"order 2"}, b.done(t, "what"))
	assert.Empty(t, s.log.lines(t, "not released"))
}

// SQLite gives the ID of a job that was rolled back to the next one.
func TestReleaseOfAUnitThatWasRolledBackLeavesTheNextOneAlone(t *testing.T) {
	both(t, rolledBackRelease[*sql.Tx], rolledBackRelease[pgx.Tx])
}

func rolledBackRelease[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	first, answerFirst := s.request(t)
	tx, _, rollback, err := b.begin(first)
	require.NoError(t, err)
	require.NoError(t, s.AddTx(first, tx, step.With("of the first")))
	require.NoError(t, rollback())
	second, answerSecond := s.request(t)
	require.NoError(t, s.Add(second, step.With("of the second")))
	answerFirst()
	<-time.After(200 * time.Millisecond) // in which nothing must happen
	assert.Equal(t, rivertype.JobStateScheduled, s.jobs(t)[0].State)
	assert.Empty(t, j.all())
	answerSecond()
	s.until(t, rivertype.JobStateCompleted)
}

func TestUnitWithoutAResponseToWaitForStartsAtOnce(t *testing.T) {
	both(t, withoutAResponse[*sql.Tx], withoutAResponse[pgx.Tx])
}

func withoutAResponse[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	require.NoError(t, s.Add(t.Context(), step.With("of a program")))
	s.until(t, rivertype.JobStateCompleted)
	ctx, answer := s.request(t)
	require.NoError(t, bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		return s.Add(ctx, step.With("of a task"))
	}))
	answer()
	eventually(t, "both", func() bool { return len(j.all()) == 2 })
	jobs := s.until(t, rivertype.JobStateCompleted)
	assert.Contains(t, string(jobs[1].Metadata), "req-1", "a task is of its request")
}

func TestStepHasTheContextOfItsRequest(t *testing.T) {
	both(t, contextIsCarried[*sql.Tx], contextIsCarried[pgx.Tx])
}

func contextIsCarried[Tx any](t *testing.T, b *base[Tx]) {
	type seen struct {
		info                        bgtasks.Info
		requestID, route, key, span string
	}
	all := make(chan seen, 2)
	step := bgriver.Define("step", func(ctx context.Context, _ int) error {
		info, _ := bgtasks.InfoFrom(ctx)
		all <- seen{info, middleware.GetReqID(ctx), chi.RouteContext(ctx).RoutePattern(), bgriver.Key(ctx),
			trace.SpanContextFromContext(ctx).TraceID().String()}
		return nil
	})
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{8}, TraceFlags: trace.FlagsSampled})
	require.NoError(t, s.Add(trace.ContextWithSpanContext(ctx, span), step.With(1), step.With(2)))
	answer()
	one, two := await(t, all, "a step"), await(t, all, "a step")
	assert.Equal(t, "req-1", one.requestID)
	assert.Equal(t, "/orders/{id}", one.route)
	assert.Equal(t, span.TraceID().String(), one.span)
	assert.Equal(t, []any{"step", "/orders/{id}", "POST", "req-1", 1, 1},
		[]any{one.info.Name, one.info.Route, one.info.Method, one.info.RequestID, one.info.Position, one.info.Attempt})
	assert.Equal(t, 2, two.info.Position)
	assert.NotEmpty(t, one.key)
	assert.NotEqual(t, one.key, two.key)
}

func TestUniqueUnitIsStoredOnce(t *testing.T) {
	both(t, uniqueOnce[*sql.Tx], uniqueOnce[pgx.Tx])
}

func uniqueOnce[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	once := s.With(river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}, Tags: []string{"invoice"}, Metadata: []byte(`{"mine":1}`)})
	first, answerFirst := s.request(t)
	require.NoError(t, once.Add(first, step.With("a")))
	second, answerSecond := s.request(t)
	require.NoError(t, once.Add(second, step.With("a")), "there already: no error")
	require.NoError(t, once.Add(second, step.With("b")))
	answerSecond()
	eventually(t, "the other unit", func() bool { return len(j.all()) == 1 })
	assert.Equal(t, []string{"step b"}, j.all(), "a is the first request's")
	answerFirst()
	jobs := s.until(t, rivertype.JobStateCompleted)
	require.Len(t, jobs, 2)
	assert.Equal(t, []string{"invoice"}, jobs[0].Tags)
	assert.Contains(t, string(jobs[0].Metadata), "mine")
}

func TestMetadataIsStoredAsItIs(t *testing.T) {
	both(t, metadataAsItIs[*sql.Tx], metadataAsItIs[pgx.Tx])
}

func metadataAsItIs[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	const order = "9007199254740993" // no float64
	for _, metadata := range []string{"null", `{"order":` + order + `}`} {
		ctx, answer := s.request(t)
		require.NoError(t, s.With(river.InsertOpts{Metadata: []byte(metadata)}).Add(ctx, step.With("a"), step.With("b")))
		answer()
	}
	jobs := s.until(t, rivertype.JobStateCompleted)
	require.Len(t, jobs, 2)
	assert.Contains(t, string(jobs[1].Metadata), order)
	assert.Len(t, j.all(), 4)
}

func TestUnitForLaterIsNotReleasedByItsResponse(t *testing.T) {
	both(t, forLater[*sql.Tx], forLater[pgx.Tx])
}

func forLater[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	tomorrow := time.Now().Add(24 * time.Hour)
	ctx, answer := s.request(t)
	require.NoError(t, s.With(river.InsertOpts{ScheduledAt: tomorrow}).Add(ctx, step.With("x")))
	answer()
	require.NoError(t, s.run.Shutdown(t.Context()), "nothing is left to release")
	jobs := s.jobs(t)
	assert.Equal(t, rivertype.JobStateScheduled, jobs[0].State)
	assert.WithinDuration(t, tomorrow, jobs[0].ScheduledAt, time.Second)
}

func TestPendingUnitIsNotReleasedByItsResponse(t *testing.T) {
	both(t, pending[*sql.Tx], pending[pgx.Tx])
}

func pending[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	require.NoError(t, s.With(river.InsertOpts{Pending: true}).Add(ctx, step.With("x")))
	answer()
	require.NoError(t, s.run.Shutdown(t.Context()), "nothing is left to release")
	assert.Equal(t, rivertype.JobStatePending, s.jobs(t)[0].State)
}

func TestUnitCancelledBeforeItsResponseStaysCancelled(t *testing.T) {
	both(t, cancelledBefore[*sql.Tx], cancelledBefore[pgx.Tx])
}

func cancelledBefore[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	require.NoError(t, s.Add(ctx, step.With("x")))
	_, err := s.Client().JobCancel(t.Context(), s.jobs(t)[0].ID)
	require.NoError(t, err)
	<-time.After(150 * time.Millisecond) // a response that takes longer than a glance
	answer()
	<-time.After(200 * time.Millisecond) // in which nothing must happen
	assert.Equal(t, rivertype.JobStateCancelled, s.jobs(t)[0].State)
	assert.Empty(t, j.all())
	assert.Empty(t, s.log.lines(t, "not released"))
}

// River's scheduler makes a job available up to five seconds before its time, for which it then waits.
func TestUnitThatIsAvailableBeforeTheEndOfItsLeaseIsReleasedByItsResponse(t *testing.T) {
	both(t, availableEarly[*sql.Tx], availableEarly[pgx.Tx])
}

func availableEarly[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	ctx, answer := s.request(t)
	require.NoError(t, s.Add(ctx, step.With("x")))
	b.must(t, "UPDATE river_job SET state = 'available'") // as the scheduler does
	waits := s.jobs(t)[0].ScheduledAt
	<-time.After(bgriver.Glance)
	assert.Empty(t, j.all(), "it still waits")
	answer()
	s.until(t, rivertype.JobStateCompleted)
	assert.Less(t, time.Now(), waits)
}
