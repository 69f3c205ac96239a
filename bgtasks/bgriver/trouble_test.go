package bgriver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

var quietLog = slog.New(slog.DiscardHandler)

func TestUnitOfATaskThatIsNotKnownIsLeftToOtherNodes(t *testing.T) {
	both(t, unknownTask[*sql.Tx], unknownTask[pgx.Tx])
}

func unknownTask[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	old, added := j.noting("old"), j.noting("added since")
	newer := b.site(t, quick(old, added))
	require.NoError(t, newer.With(river.InsertOpts{ScheduledAt: time.Now().Add(time.Hour)}).Add(t.Context(), old.With("a"), added.With("b")))
	require.NoError(t, newer.run.Shutdown(t.Context()))

	older := b.site(t, quick(old))
	id := older.jobs(t)[0].ID
	_, err := older.Client().JobRetry(t.Context(), id)
	require.NoError(t, err)
	eventually(t, "the log line", func() bool { return len(older.log.lines(t, "left to other nodes")) > 0 })
	line := older.log.lines(t, "left to other nodes")[0]
	assert.Equal(t, []any{"ERROR", "added since", "old, added since", 2.0}, []any{line["level"], line["task"], line["unit"], line["position"]})
	jobs := older.until(t, rivertype.JobStateScheduled)
	assert.Zero(t, jobs[0].Attempt, "it costs no attempt")
	assert.Empty(t, j.all(), "the steps before it are left too")
	require.NoError(t, older.run.Shutdown(t.Context()))

	again := b.site(t, quick(old, added))
	_, err = again.Client().JobRetry(t.Context(), id)
	require.NoError(t, err)
	again.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"old a", "added since b"}, j.all())
}

func TestStepThatIsDoneNeedsNoTaskAnyMore(t *testing.T) {
	both(t, doneAndGone[*sql.Tx], doneAndGone[pgx.Tx])
}

func doneAndGone[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	dropped := j.noting("dropped")
	kept := bgriver.Define("kept", func(context.Context, string) error { j.note("kept"); return errBroken })
	cfg := quick(dropped, kept)
	cfg.River.RetryPolicy = &river.DefaultClientRetryPolicy{}
	s := b.site(t, cfg)
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 1}).Add(t.Context(), dropped.With("a"), kept.With("b")))
	s.until(t, rivertype.JobStateDiscarded)
	require.NoError(t, s.run.Shutdown(t.Context()))

	kept = bgriver.Define("kept", func(context.Context, string) error { j.note("kept"); return nil })
	newer := b.site(t, quick(kept))
	_, err := newer.Client().JobRetry(t.Context(), newer.jobs(t)[0].ID)
	require.NoError(t, err)
	newer.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"dropped a", "kept", "kept"}, j.all())
}

func TestRecordedStepThatTheUnitDoesNotHaveIsAnErrorThatSaysSo(t *testing.T) {
	both(t, recordedStepGone[*sql.Tx], recordedStepGone[pgx.Tx])
}

func recordedStepGone[Tx any](t *testing.T, b *base[Tx]) {
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	opts := river.InsertOpts{MaxAttempts: 1, Metadata: []byte(`{"river:resumable_step":"7 other"}`)}
	require.NoError(t, s.With(opts).Add(t.Context(), step.With("a")))
	jobs := s.until(t, rivertype.JobStateDiscarded)
	assert.Contains(t, jobs[0].Errors[0].Error, `"7 other", which is no step of it`)
	assert.Empty(t, j.all())
}

func TestArgumentThatNoLongerFitsIsAnErrorThatSaysSo(t *testing.T) {
	b := newSQLite(t)
	was := bgriver.Define("step", func(context.Context, string) error { return errBroken })
	s := b.site(t, quick(was))
	require.NoError(t, s.With(river.InsertOpts{MaxAttempts: 1}).Add(t.Context(), was.With("a")))
	s.until(t, rivertype.JobStateDiscarded)
	require.NoError(t, s.run.Shutdown(t.Context()))
	is := bgriver.Define("step", func(context.Context, int) error { return nil })
	s = b.site(t, quick(is))
	_, err := s.Client().JobRetry(t.Context(), s.jobs(t)[0].ID)
	require.NoError(t, err)
	eventually(t, "the second error", func() bool { return len(s.jobs(t)[0].Errors) == 2 })
	assert.Contains(t, s.jobs(t)[0].Errors[1].Error, "does not fit the task's int")
}

func TestAddRefusesWhatCanNotBeRun(t *testing.T) {
	b := newSQLite(t)
	var j journal
	known, unknown := j.noting("known"), j.noting("unknown")
	anything := bgriver.Define("anything", func(context.Context, any) error { return nil })
	s := b.site(t, quick(known, anything))
	ctx, answer := s.request(t)
	assert.ErrorContains(t, s.Add(ctx), "no step")
	assert.ErrorContains(t, s.Add(ctx, bgriver.Step{}), "Task.With")
	assert.ErrorContains(t, bgriver.Add(ctx, bgriver.Step{}), "Task.With")
	assert.ErrorContains(t, s.Add(ctx, known.With("a"), unknown.With("b")), `task "unknown" is not in the queue's Config.Tasks`)
	assert.ErrorContains(t, s.Add(ctx, j.noting("known").With("b")), "Config.Tasks", "another of the same name")
	assert.ErrorContains(t, s.Add(ctx, anything.With(func() {})), `task "anything": JSON can't carry its argument`)
	for _, none := range []string{"[", "[1]", "7"} {
		assert.ErrorContains(t, s.With(river.InsertOpts{Metadata: []byte(none)}).Add(ctx, known.With("a")), "Metadata is to be a JSON object")
	}
	for _, unique := range []river.UniqueOpts{{ByPeriod: time.Hour}, {ByQueue: true}, {ByState: rivertype.JobStates()}, {ExcludeKind: true}} {
		assert.ErrorContains(t, s.With(river.InsertOpts{UniqueOpts: unique}).Add(ctx, known.With("a")), "set ByArgs")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	assert.ErrorIs(t, s.Add(ended, known.With("a")), context.Canceled)
	answer()
	require.NoError(t, s.run.Shutdown(t.Context()), "no release is waited for")
	assert.Empty(t, s.jobs(t))
}

type inner struct{ C chan int }

type linked struct {
	Next *linked
	At   time.Time
	W    io.Writer `json:"-"`
}

type closed struct{ _, _ int }

func TestOpenRefusesWhatMakesNoSense(t *testing.T) {
	b := newSQLite(t)
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	fine := bgriver.Define("fine", func(context.Context, linked) error { return nil })
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[taken]) error { return nil }))
	for want, cfg := range map[string]bgriver.Config{
		"Config.Tasks is empty":                       {},
		"entry 1 of Config.Tasks is nil":              quick(nil),
		`task "fine" is in Config.Tasks twice`:        quick(fine, fine),
		"it has no name":                              quick(define[int]("")),
		"its function is nil":                         quick(bgriver.Define[int]("a", nil)),
		"inner.C is a chan":                           quick(define[map[string][]inner]("a")),
		"is a func":                                   quick(define[func()]("a")),
		"is an interface, io.Writer":                  quick(define[struct{ W io.Writer }]("a")),
		"all fields of bgriver_test.closed are unexp": quick(define[closed]("a")),
		"When looks at":                               quick(bgriver.Define("a", nothing, bgtasks.When(bgtasks.Outcome.OK))),
		"works in a pgx.Tx":                           quick(bgriver.DefineTx("a", func(context.Context, pgx.Tx, int) error { return nil })),
		"Lease 9s: at least 10s is needed":            {Tasks: []bgriver.Definition{fine}, Lease: 9 * time.Second},
		"already registered":                          {Tasks: []bgriver.Definition{fine}, River: river.Config{Workers: workers}},
		"JobTimeout -1ns: River would never":          {Tasks: []bgriver.Definition{fine}, River: river.Config{JobTimeout: -1}},
		"RescueStuckJobsAfter":                        {Tasks: []bgriver.Definition{fine}, River: river.Config{JobTimeout: time.Minute, RescueStuckJobsAfter: time.Second}},
	} {
		_, err := b.open(run, cfg)
		assert.ErrorContains(t, err, want)
	}
	_, err := b.open(nil, quick(fine))
	assert.ErrorContains(t, err, "runner")
	_, err = bgriver.OpenSQLite(t.Context(), nil, run, quick(fine))
	assert.ErrorContains(t, err, "database")
	_, err = bgriver.OpenPostgres(t.Context(), nil, run, quick(fine))
	assert.ErrorContains(t, err, "pool")
}

func nothing(context.Context, int) error { return nil }

func define[A any](name string) bgriver.Definition {
	return bgriver.Define(name, func(context.Context, A) error { return nil })
}

type taken struct{}

func (taken) Kind() string { return "bgtasks" }

func TestSQLiteThatIsNotOpenedAsItMustBe(t *testing.T) {
	fine := define[int]("fine")
	for want, options := range map[string]string{
		"open it with _pragma=journal_mode(WAL)":    "?_pragma=busy_timeout(100)&_txlock=immediate",
		"open it with _pragma=busy_timeout(10000)":  "?_pragma=journal_mode(WAL)&_txlock=immediate",
		"opened without _txlock=immediate":          "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(100)",
		"River's tables are missing or out of date": sqliteOptions,
	} {
		for _, connections := range []int{0, 1} {
			db := openSQLiteDB(t, "file:"+filepath.Join(t.TempDir(), "x.db")+options)
			db.SetMaxOpenConns(connections)
			_, err := bgriver.OpenSQLite(t.Context(), db, bgtasks.New(bgtasks.Config{}), quick(fine))
			assert.ErrorContains(t, err, want)
		}
	}
	db := openSQLiteDB(t, "file:"+filepath.Join(t.TempDir(), "nowhere", "x.db")+sqliteOptions)
	_, err := bgriver.OpenSQLite(t.Context(), db, bgtasks.New(bgtasks.Config{}), quick(fine))
	assert.ErrorContains(t, err, "is its folder there")
}

func TestSQLiteWithOneConnection(t *testing.T) {
	url := "file:" + filepath.Join(t.TempDir(), "one.db") + sqliteOptions
	db := openSQLiteDB(t, url)
	db.SetMaxOpenConns(1)
	require.NoError(t, bgriver.MigrateSQLite(t.Context(), db))
	var j journal
	step := j.noting("step")
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	q, err := bgriver.OpenSQLite(t.Context(), db, run, quick(step))
	require.NoError(t, err)
	s := &site[*sql.Tx]{Queue: q, run: run}
	ctx, answer := s.request(t)
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, q.AddTx(ctx, tx, step.With("a"), step.With("b")))
	require.NoError(t, tx.Commit())
	answer()
	s.until(t, rivertype.JobStateCompleted)
	assert.Equal(t, []string{"step a", "step b"}, j.all())
	require.NoError(t, run.Shutdown(t.Context()))
}

func TestPostgresThatIsNotThereOrNotMigrated(t *testing.T) {
	c := requireCluster(t)
	fine := define[int]("fine")
	pool := openPool(t, c.URL("nowhere"))
	_, err := bgriver.OpenPostgres(t.Context(), pool, bgtasks.New(bgtasks.Config{}), quick(fine))
	assert.ErrorContains(t, err, `can't reach the Postgres database`)
	assert.ErrorContains(t, err, `database "nowhere" does not exist`)
	assert.ErrorContains(t, bgriver.MigratePostgres(t.Context(), pool), "can't reach")

	url, err := c.Database()
	require.NoError(t, err)
	pool = openPool(t, url)
	_, err = bgriver.OpenPostgres(t.Context(), pool, bgtasks.New(bgtasks.Config{}), quick(fine))
	assert.ErrorContains(t, err, "bgriver.MigratePostgres(ctx, pool)")
}

func TestSchemaThatIsNotMigrated(t *testing.T) {
	url, err := requireCluster(t).Database()
	require.NoError(t, err)
	pool := openPool(t, url)
	_, err = pool.Exec(t.Context(), "CREATE SCHEMA jobs")
	require.NoError(t, err)
	require.NoError(t, bgriver.MigratePostgres(t.Context(), pool))
	run := bgtasks.New(bgtasks.Config{Logger: quietLog})
	var j journal
	step := j.noting("step")
	cfg := quick(step)
	cfg.River.Schema = "jobs"
	_, err = bgriver.OpenPostgres(t.Context(), pool, run, cfg)
	require.ErrorContains(t, err, `river migrate-up --schema "jobs"`)
	assert.NotContains(t, err.Error(), "bgriver.Migrate", "which migrates no schema")

	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: "jobs", Logger: quietLog})
	require.NoError(t, err)
	_, err = m.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	q, err := bgriver.OpenPostgres(t.Context(), pool, run, cfg)
	require.NoError(t, err)
	s := &site[pgx.Tx]{Queue: q, run: run}
	require.NoError(t, q.Add(t.Context(), step.With("a")))
	s.until(t, rivertype.JobStateCompleted)
	require.NoError(t, run.Shutdown(t.Context()))
}

func TestMigratingNeedsTwoConnections(t *testing.T) {
	url, err := requireCluster(t).Database()
	require.NoError(t, err)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	for _, connections := range []int32{1, 2} {
		cfg.MaxConns = connections
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		require.NoError(t, err)
		defer pool.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err = bgriver.MigratePostgres(ctx, pool)
		if connections == 2 {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "MaxConns")
		require.NoError(t, ctx.Err(), "it does not wait for the second")
	}
}

func TestProcessesThatStartTogetherMigrateOneAfterTheOther(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		for range 20 { // as there are many ways for them to meet
			url := "file:" + filepath.Join(t.TempDir(), "test.db") + sqliteOptions
			fiveAtOnce(t, func() error {
				db, err := sql.Open("sqlite", url)
				if err != nil {
					return err
				}
				defer db.Close()
				return bgriver.MigrateSQLite(t.Context(), db)
			})
		}
	})
	t.Run("Postgres", func(t *testing.T) {
		url, err := requireCluster(t).Database()
		require.NoError(t, err)
		fiveAtOnce(t, func() error {
			pool, err := pgxpool.New(t.Context(), url)
			if err != nil {
				return err
			}
			defer pool.Close()
			return bgriver.MigratePostgres(t.Context(), pool)
		})
	})
}

func fiveAtOnce(t *testing.T, migrate func() error) {
	t.Helper()
	errs := make(chan error)
	for range 5 {
		go func() { errs <- migrate() }()
	}
	var all []error
	for range 5 {
		all = append(all, await(t, errs, "a migration"))
	}
	require.NoError(t, errors.Join(all...))
}

func TestErrorsNameTheUnit(t *testing.T) {
	b := newSQLite(t)
	var j journal
	step := j.noting("step")
	s := b.site(t, quick(step))
	tx, _, rollback, err := b.begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, rollback())
	err = s.AddTx(t.Context(), tx, step.With("a"), step.With("b"))
	assert.True(t, strings.HasPrefix(fmt.Sprint(err), "bgriver: unit not stored (step, step): "), err)
}
