package bgriver_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
)

// The database goes away while orders come in and steps run, and comes back.
func TestOutageOfPostgresLosesNothing(t *testing.T) {
	onlySlowly(t)
	server, err := pgtest.New("fsync=off")
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	url, err := server.Database()
	require.NoError(t, err)
	b := postgresAt(t, url)

	var j journal
	first := bgriver.Define("first", func(_ context.Context, n int) error {
		<-time.After(20 * time.Millisecond) // the work, of which the database knows nothing
		j.note("first " + strconv.Itoa(n))
		return nil
	})
	second := bgriver.Define("second", func(_ context.Context, n int) error {
		j.note("second " + strconv.Itoa(n))
		return nil
	})
	cfg := quick(first, second)
	cfg.River.JobTimeout, cfg.River.RescueStuckJobsAfter = 15*time.Second, 16*time.Second
	s := b.site(t, cfg)

	add := func(n int) error {
		ctx, answer := s.request(t)
		defer answer()
		return s.Add(ctx, first.With(n), second.With(n))
	}
	accepted, n := 0, 0
	for ; accepted < 100; n++ {
		require.NoError(t, add(n))
		accepted++
		if accepted == 50 {
			eventually(t, "steps", func() bool { return len(j.all()) > 10 })
		}
	}
	server.Kill()
	began := time.Now()
	failure := add(n)
	assert.ErrorContains(t, failure, "bgriver: unit not stored (first, second): ")
	assert.Less(t, time.Since(began), 10*time.Second)
	t.Logf("while it is away: %v", failure)
	require.NoError(t, server.Start())
	eventually(t, "adds to go on", func() bool { n++; return add(n) == nil })
	accepted++
	jobs := s.until(t, rivertype.JobStateCompleted)
	t.Logf("all was done %v after the outage began", time.Since(began).Round(time.Second))
	assert.Len(t, jobs, accepted)
	runs := map[string]int{}
	for _, line := range j.all() {
		runs[line]++
	}
	again := 0
	for _, job := range jobs {
		number := jsonNumber(t, job)
		assert.Positive(t, runs["first "+number])
		assert.Positive(t, runs["second "+number])
		again += runs["first "+number] + runs["second "+number] - 2
	}
	t.Logf("%d steps ran again, whose record was lost with the database", again)
}

// jsonNumber is the argument of a job's first step.
func jsonNumber(t *testing.T, job *rivertype.JobRow) string {
	var u struct{ Steps []struct{ Arg int } }
	require.NoError(t, json.Unmarshal(job.EncodedArgs, &u))
	return strconv.Itoa(u.Steps[0].Arg)
}

// A step that is done while the database is away for a moment is recorded when it is back, and not
// run again.
func TestStepThatIsDoneDuringAnOutageIsRecordedLater(t *testing.T) {
	onlySlowly(t)
	server, err := pgtest.New("fsync=off")
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	url, err := server.Database()
	require.NoError(t, err)
	b := postgresAt(t, url)
	var runs atomic.Int32
	running, end := make(chan struct{}, 1), make(chan struct{})
	step := bgriver.Define("step", func(context.Context, int) error {
		runs.Add(1)
		running <- struct{}{}
		<-end
		return nil
	})
	s := b.site(t, quick(step))
	require.NoError(t, s.Add(t.Context(), step.With(1)))
	await(t, running, "the step")
	server.Stop()
	close(end)
	<-time.After(500 * time.Millisecond) // a few tries
	require.NoError(t, server.Start())
	s.until(t, rivertype.JobStateCompleted)
	assert.EqualValues(t, 1, runs.Load())
}

func TestCommitWhoseResponseNeverWentOutStillRuns(t *testing.T) {
	both(t, responseNeverSent[*sql.Tx], responseNeverSent[pgx.Tx])
}

func responseNeverSent[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(s.run))
	r.Post("/orders/{id}", func(_ http.ResponseWriter, r *http.Request) {
		tx, commit, _, err := b.begin(r.Context())
		if !assert.NoError(t, err) || !assert.NoError(t, s.AddTx(r.Context(), tx, step.With(chi.URLParam(r, "id")))) {
			return
		}
		assert.NoError(t, commit())
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewUnstartedServer(r)
	chimw.Attach(server.Config)
	server.Start()
	defer server.Close()
	_, err := http.Post(server.URL+"/orders/7", "", nil)
	require.Error(t, err, "there was no response")
	job := s.until(t, rivertype.JobStateCompleted)[0]
	assert.Equal(t, []string{"step 7"}, j.all())
	assert.Contains(t, string(job.Metadata), "/orders/{id}")
	assert.Less(t, job.FinalizedAt.Sub(job.CreatedAt), 5*time.Second, "long before its lease is over")
}

// The middleware, a real connection, and one order after the other: no step before its response.
func TestNoStepStartsBeforeItsResponse(t *testing.T) {
	both(t, notBeforeItsResponse[*sql.Tx], notBeforeItsResponse[pgx.Tx])
}

func notBeforeItsResponse[Tx any](t *testing.T, b *base[Tx]) {
	started := make(chan time.Time, 1)
	step := bgriver.Define("step", func(context.Context, int) error {
		started <- time.Now()
		return nil
	})
	s := b.site(t, bgriver.Config{Tasks: []bgriver.Definition{step}, River: river.Config{MaxAttempts: 1}})
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(s.run))
	var returned time.Time
	r.Post("/", func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, s.Add(r.Context(), step.With(1)))
		<-time.After(150 * time.Millisecond) // longer than River's poll interval
		_, _ = w.Write([]byte("answer"))
		returned = time.Now()
	})
	server := httptest.NewUnstartedServer(r)
	chimw.Attach(server.Config)
	server.Start()
	defer server.Close()
	var waits []time.Duration
	for range 5 {
		res, err := http.Post(server.URL, "", nil)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		at := await(t, started, "the step")
		assert.True(t, at.After(returned))
		waits = append(waits, at.Sub(returned))
	}
	t.Logf("from the handler's return to the step: %v", waits)
}
