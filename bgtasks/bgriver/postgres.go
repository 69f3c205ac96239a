package bgriver

import (
	"context"
	"errors"
	"fmt"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// OpenPostgres opens a queue in a Postgres database, and starts to run the units in it, beside
// any number of other processes that do so too. It returns an error if the database is not there
// or has not been migrated (MigratePostgres). The pool needs a few connections beyond those that
// handlers and steps use: River holds one to listen on. Through PgBouncer in transaction
// mode it can't: set Config.River.PollOnly.
//
// Don't start plain River clients on the same tables, and see to the machines' clocks: the
// package's "Several processes" says why.
//
// The queue stops when runner shuts down, in its time: see chimw.ListenAndServe. Close the pool
// after that.
func OpenPostgres(ctx context.Context, pool *pgxpool.Pool, runner *bgtasks.Runner, cfg Config) (*Queue[pgx.Tx], error) {
	if pool == nil {
		return nil, errors.New("bgriver: OpenPostgres needs a pool of connections")
	}
	return open(ctx, database[pgx.Tx]{
		driver:  riverpgxv5.New(pool),
		migrate: "bgriver.MigratePostgres(ctx, pool)",
		check: func(ctx context.Context) error {
			if err := pool.Ping(ctx); err != nil {
				return fmt.Errorf("bgriver: can't reach the Postgres database: %w", err)
			}
			return nil
		},
		inTx: func(ctx context.Context, fn func(pgx.Tx) error) error {
			return pgx.BeginFunc(ctx, pool, fn)
		},
	}, runner, cfg)
}

// migrationLock is the advisory lock that processes which start together migrate under.
const migrationLock = 0x6267_7269_7665_72 // "bgriver"

// MigratePostgres makes River's tables, or brings them up to date. Where they are, it does
// nothing. Processes that call it at the same time wait for each other. They do so with a lock
// that takes a connection, while River migrates with another: two of the pool's must be free. The
// lock is a session's, which PgBouncer in transaction mode does not keep: there it may be waited
// for in vain, so migrate by a connection to Postgres itself.
//
// It migrates what the search_path leads to. For a Config.River.Schema, which has to exist, use
// River's command line tool (river migrate-up --schema jobs --database-url ...) or its package
// rivermigrate (Config.Schema).
func MigratePostgres(ctx context.Context, pool *pgxpool.Pool) error {
	if n := pool.Config().MaxConns; n < 2 {
		return fmt.Errorf("bgriver: MigratePostgres needs a pool of two connections, one for its lock and one for River: this one's MaxConns is %d", n)
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("bgriver: can't reach the Postgres database: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("bgriver: %w", err)
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	}()
	return migrate(riverpgxv5.New(pool), func(m *rivermigrate.Migrator[pgx.Tx]) error {
		_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}
