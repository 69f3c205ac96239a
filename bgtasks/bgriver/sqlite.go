package bgriver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// OpenSQLite opens a queue in an SQLite database, which may hold the program's own tables too,
// and starts to run the units in it. It returns an error if the database is not there, has not
// been migrated (MigrateSQLite) or was not opened as it must be: write-ahead log, a busy timeout,
// and transactions that take the write lock when they begin. A transaction that begins by
// reading and then finds another writing fails at once, whatever the busy timeout. With
// modernc.org/sqlite:
//
//	sql.Open("sqlite", "file:orders.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_txlock=immediate")
//
// SQLite has one writer at a time, and those that wait for their turn with a busy timeout do so
// without order: let a few connections wait, not a hundred (db.SetMaxOpenConns(4): twice as many
// orders a second, measured with 8 clients and 100 workers).
//
// The queue stops when runner shuts down, in its time: see chimw.ListenAndServe. Close db after
// that. With db.SetMaxOpenConns(1), a handler that has begun a transaction must use AddTx: Add
// would wait for the connection that the handler holds.
func OpenSQLite(ctx context.Context, db *sql.DB, runner *bgtasks.Runner, cfg Config) (*Queue[*sql.Tx], error) {
	if db == nil {
		return nil, errors.New("bgriver: OpenSQLite needs a database")
	}
	return open(ctx, database[*sql.Tx]{
		driver:  riversqlite.New(db),
		migrate: "bgriver.MigrateSQLite(ctx, db)",
		check:   func(ctx context.Context) error { return checkSQLite(ctx, db) },
		inTx:    func(ctx context.Context, fn func(*sql.Tx) error) error { return inTx(ctx, db, fn) },
		reuses:  true,
	}, runner, cfg)
}

// MigrateSQLite makes River's tables, or brings them up to date. Where they are, it does nothing.
// Processes may call it at the same time.
func MigrateSQLite(ctx context.Context, db *sql.DB) error {
	return migrate(riversqlite.New(db), func(m *rivermigrate.Migrator[*sql.Tx]) (err error) {
		for range migrateTries {
			before := missing(ctx, m)
			if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err == nil || missing(ctx, m) == before {
				return err
			}
			select {
			case <-time.After(migratePause):
			case <-ctx.Done():
				return err
			}
		}
		return err
	})
}

// SQLite has no lock to migrate under, as Postgres has. River looks which versions are missing before it
// begins the first one's transaction, so a process that was slower than another fails (its tables are
// there already, or have other columns by now), harmlessly, as each version is recorded in its own
// transaction. That it was outrun shows in others being missing than before it began. It finds the
// rest the next time.
const (
	migrateTries = 20
	migratePause = 50 * time.Millisecond
)

// missing says which versions are, or that this cannot be read, as in the middle of another's
// migration.
func missing(ctx context.Context, m *rivermigrate.Migrator[*sql.Tx]) string {
	res, err := m.Validate(ctx, nil)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.Messages)
}

func inTx(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // of no effect after the commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func checkSQLite(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("bgriver: can't open the SQLite database (is its folder there, and may this process write to it?): %w", err)
	}
	if mode != "wal" && mode != "memory" {
		return fmt.Errorf("bgriver: the SQLite database is in journal mode %q, in which readers and the writer wait for each other: open it with _pragma=journal_mode(WAL)", mode)
	}
	var timeout int
	if err := db.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return fmt.Errorf("bgriver: SQLite: %w", err)
	}
	if timeout == 0 {
		return errors.New("bgriver: the SQLite database was opened without a busy timeout, so a second writer fails at once: open it with _pragma=busy_timeout(10000)")
	}
	return checkImmediate(ctx, db)
}

// checkImmediate finds out whether transactions take the write lock when they begin: inside one
// that does, a checkpoint is refused; inside one that has done nothing yet it is not.
func checkImmediate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("bgriver: SQLite: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var busy, pages, moved int
	err = tx.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
	if err == nil {
		return errors.New("bgriver: the SQLite database was opened without _txlock=immediate: a transaction that reads before it writes would fail whenever another writes meanwhile, busy timeout or not")
	}
	if !strings.Contains(err.Error(), "locked") {
		return fmt.Errorf("bgriver: SQLite: %w", err)
	}
	return nil
}
