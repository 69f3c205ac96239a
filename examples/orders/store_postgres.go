package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed schema_postgres.sql
var postgresSchema string

const (
	postgresConnections = 20 // unless the URL says pool_max_conns
	postgresTimeout     = 15 * time.Second
	schemaLock          = 0x6f7264657273 // "orders"
)

// OpenPostgres opens the database at url, which has to be there, and brings its tables up to date.
// Any number of programs may do so at once, and use it side by side.
func OpenPostgres(ctx context.Context, url string) (*Store, error) {
	cfg, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("-database: can't use Postgres: is it running, is the database there (createdb), and is the URL right? %s", oneLine(err))
	}
	db := stdlib.OpenDBFromPool(pool)
	return &Store{write: db, read: db, postgres: pool}, nil
}

// parsePostgres does not say what it was given: there may be a password in it.
func parsePostgres(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil || !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, errors.New("-database: must be the URL of a Postgres database: postgres://user:password@host:5432/name (for SQLite leave it out: the file is in -dir)")
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = postgresConnections
	}
	return cfg, nil
}

// migratePostgres makes the tables. Programs that start at the same time wait for each other.
func migratePostgres(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, postgresTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, postgresSchema)
		return err
	})
}

// oneLine is an error's text for a terminal: pgx begins a line for each address that it has tried.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// isAway reports whether Postgres can't be reached, or is going or coming: what was asked of it may
// well succeed in a moment.
func isAway(err error) bool {
	var connect *pgconn.ConnectError
	var pg *pgconn.PgError
	return errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.As(err, &pg) && strings.HasPrefix(pg.Code, "57P") // admin_shutdown, crash_shutdown, cannot_connect_now
}
