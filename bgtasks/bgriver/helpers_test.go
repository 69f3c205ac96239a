package bgriver_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
)

// patience turns a hang into a failure; nothing is expected to take that long.
const patience = time.Minute

var errBroken = errors.New("broken")

// cluster is one Postgres server for all tests that don't stop it.
var cluster = sync.OnceValues(func() (*pgtest.Cluster, error) { return pgtest.New("fsync=off") })

func TestMain(m *testing.M) {
	if role := os.Getenv("BGRIVER_CHILD"); role != "" {
		child(role)
		return
	}
	code := m.Run()
	if c, err := cluster(); err == nil {
		_ = c.Close()
	}
	if err := left(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, "the tests have left goroutines:", err)
		code = 1
	}
	os.Exit(code)
}

// left are goroutines of tests that stay. Those of a River that was given up, as its step did not
// heed its context, take seconds to see that their database has gone.
func left() (err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = goleak.Find(); err == nil {
			break
		}
	}
	return err
}

// A base is a database for one test: two or more queues can be opened in it.
type base[Tx any] struct {
	url     string
	open    func(*bgtasks.Runner, bgriver.Config) (*bgriver.Queue[Tx], error)
	begin   func(ctx context.Context) (tx Tx, commit, rollback func() error, err error)
	exec    func(ctx context.Context, tx Tx, query string) error
	driver  func() riverdriver.Driver[Tx]
	strings func(ctx context.Context, query string) ([]string, error) // of one column
}

// both runs a test on SQLite and on Postgres.
func both(t *testing.T, onSQLite func(*testing.T, *base[*sql.Tx]), onPostgres func(*testing.T, *base[pgx.Tx])) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		onSQLite(t, newSQLite(t))
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		onPostgres(t, newPostgres(t))
	})
}

// sqliteConnections is a few: those that wait for SQLite's one writer do so in Go's fair queue.
const sqliteConnections = 4

const sqliteOptions = "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(NORMAL)&_txlock=immediate"

func newSQLite(t testing.TB) *base[*sql.Tx] {
	return sqliteAt(t, "file:"+filepath.Join(t.TempDir(), "test.db")+sqliteOptions)
}

func openSQLiteDB(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func sqliteAt(t testing.TB, url string) *base[*sql.Tx] {
	t.Helper()
	db := openSQLiteDB(t, url)
	db.SetMaxOpenConns(sqliteConnections)
	require.NoError(t, bgriver.MigrateSQLite(t.Context(), db))
	b := &base[*sql.Tx]{
		url: url,
		open: func(run *bgtasks.Runner, cfg bgriver.Config) (*bgriver.Queue[*sql.Tx], error) {
			return bgriver.OpenSQLite(t.Context(), db, run, cfg)
		},
		driver: func() riverdriver.Driver[*sql.Tx] { return riversqlite.New(db) },
		begin: func(ctx context.Context) (*sql.Tx, func() error, func() error, error) {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return nil, nil, nil, err
			}
			return tx, tx.Commit, tx.Rollback, nil
		},
		exec: func(ctx context.Context, tx *sql.Tx, query string) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		},
		strings: func(ctx context.Context, query string) (found []string, err error) {
			rows, err := db.QueryContext(ctx, query)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			for rows.Next() {
				var s string
				if err := rows.Scan(&s); err != nil {
					return nil, err
				}
				found = append(found, s)
			}
			return found, rows.Err()
		},
	}
	b.must(t, "CREATE TABLE IF NOT EXISTS done (what text NOT NULL)")
	return b
}

func newPostgres(t testing.TB) *base[pgx.Tx] {
	t.Helper()
	c := requireCluster(t)
	url, err := c.Database()
	require.NoError(t, err)
	return postgresAt(t, url)
}

func requireCluster(t testing.TB) *pgtest.Cluster {
	t.Helper()
	c, err := cluster()
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return c
}

func openPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func postgresAt(t testing.TB, url string) *base[pgx.Tx] {
	t.Helper()
	pool := openPool(t, url)
	require.NoError(t, bgriver.MigratePostgres(t.Context(), pool))
	b := &base[pgx.Tx]{
		url: url,
		open: func(run *bgtasks.Runner, cfg bgriver.Config) (*bgriver.Queue[pgx.Tx], error) {
			return bgriver.OpenPostgres(t.Context(), pool, run, cfg)
		},
		driver: func() riverdriver.Driver[pgx.Tx] { return riverpgxv5.New(pool) },
		begin: func(ctx context.Context) (pgx.Tx, func() error, func() error, error) {
			tx, err := pool.Begin(ctx)
			if err != nil {
				return nil, nil, nil, err
			}
			return tx, func() error { return tx.Commit(ctx) }, func() error { return tx.Rollback(ctx) }, nil
		},
		exec: func(ctx context.Context, tx pgx.Tx, query string) error {
			_, err := tx.Exec(ctx, query)
			return err
		},
		strings: func(ctx context.Context, query string) ([]string, error) {
			rows, err := pool.Query(ctx, query)
			if err != nil {
				return nil, err
			}
			return pgx.CollectRows(rows, pgx.RowTo[string])
		},
	}
	b.must(t, "CREATE TABLE IF NOT EXISTS done (what text NOT NULL)")
	return b
}

func (b *base[Tx]) must(t testing.TB, query string) {
	t.Helper()
	tx, commit, _, err := b.begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.exec(t.Context(), tx, query))
	require.NoError(t, commit())
}

// done is what steps have written down in the database, in the order in which they did.
func (b *base[Tx]) done(t testing.TB, order string) []string {
	t.Helper()
	found, err := b.strings(t.Context(), "SELECT what FROM done ORDER BY "+order)
	require.NoError(t, err)
	return found
}

// A site is a runner with a queue, as one process has them.
type site[Tx any] struct {
	*bgriver.Queue[Tx]
	run *bgtasks.Runner
	log *logbook
}

// quick has failed attempts tried again at once, and everything noticed soon.
func quick(tasks ...bgriver.Definition) bgriver.Config {
	return bgriver.Config{Tasks: tasks, River: river.Config{
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, RetryPolicy: atOnce{},
	}}
}

type atOnce struct{}

func (atOnce) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(10 * time.Millisecond) }

func (b *base[Tx]) site(t testing.TB, cfg bgriver.Config) *site[Tx] {
	t.Helper()
	s := &site[Tx]{log: &logbook{}}
	s.run = bgtasks.New(bgtasks.Config{Logger: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	var err error
	s.Queue, err = b.open(s.run, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.run.Shutdown(ctx)
	})
	return s
}

// request opens a list as the middleware does for a request; the answer sends the response.
func (s *site[Tx]) request(t testing.TB) (ctx context.Context, answer func()) {
	ctx, list := s.run.Open(t.Context(), bgtasks.Info{Route: "/orders/{id}", Method: "POST", RequestID: "req-1"})
	return ctx, func() { list.Start(bgtasks.Outcome{Status: 201, Sent: true}) }
}

// jobs are all that there are, the oldest first.
func (s *site[Tx]) jobs(t testing.TB) []*rivertype.JobRow {
	t.Helper()
	res, err := s.Client().JobList(t.Context(), river.NewJobListParams().First(10_000))
	require.NoError(t, err)
	return res.Jobs
}

// until waits until all jobs, of which there must be some, are in a state.
func (s *site[Tx]) until(t testing.TB, state rivertype.JobState) []*rivertype.JobRow {
	t.Helper()
	var jobs []*rivertype.JobRow
	eventually(t, "jobs that are "+string(state), func() bool {
		jobs = s.jobs(t)
		for _, job := range jobs {
			if job.State != state {
				return false
			}
		}
		return len(jobs) > 0
	})
	return jobs
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			require.FailNow(t, "waited in vain for "+what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

// A journal is what steps write down.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, j.lines...)
}

// noting defines a task that writes its argument down.
func (j *journal) noting(name string, opts ...bgtasks.Option) *bgriver.Task[string] {
	return bgriver.Define(name, func(_ context.Context, arg string) error {
		j.note(name + " " + arg)
		return nil
	}, opts...)
}

// logbook keeps log lines in JSON.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns those whose message contains msg.
func (l *logbook) lines(t testing.TB, msg string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		if strings.Contains(fmt.Sprint(m["msg"]), msg) {
			found = append(found, m)
		}
	}
	return found
}
