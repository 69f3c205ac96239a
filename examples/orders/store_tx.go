package main

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// A Tx is a transaction of the store's database, whichever that is: as much of it as the shop needs.
// Both databases know placeholders of the form $1.
type Tx interface {
	// Exec returns how many rows it has changed.
	Exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	QueryRow(ctx context.Context, query string, args ...any) row
}

type row interface{ Scan(into ...any) error }

// tx runs f in a transaction: all of it happens or nothing.
func (s *Store) tx(ctx context.Context, f func(Tx) error) error {
	if s.postgres != nil {
		return pgx.BeginFunc(ctx, s.postgres, func(tx pgx.Tx) error { return f(pgxTx{tx}) })
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	if err := f(sqlTx{tx}); err != nil {
		return err
	}
	return tx.Commit()
}

// sqlTx is a transaction of package database/sql.
type sqlTx struct {
	in interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (tx sqlTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.in.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (tx sqlTx) QueryRow(ctx context.Context, query string, args ...any) row {
	return tx.in.QueryRowContext(ctx, query, args...)
}

// pgxTx is one of package pgx. River stores tasks on Postgres by it, not by database/sql.
type pgxTx struct{ in pgx.Tx }

func (tx pgxTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := tx.in.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (tx pgxTx) QueryRow(ctx context.Context, query string, args ...any) row {
	return tx.in.QueryRow(ctx, query, args...)
}

// orNone is err, or none if a statement has changed nothing.
func orNone(rows int64, err, none error) error {
	if err == nil && rows == 0 {
		return none
	}
	return err
}
