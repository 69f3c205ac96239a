package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite"
)

//go:embed schema.sql
var schema string

// OpenStore opens the SQLite file, which need not exist, and brings its tables up to date.
//
// SQLite has one writer at a time. With one connection for all writes they wait for each
// other in Go, in order; readers have connections of their own and wait for nobody.
func OpenStore(ctx context.Context, file string) (*Store, error) {
	return openSQLite(ctx, file, "NORMAL", 1)
}

// OpenDurable is OpenStore for tasks that must not be lost. What is committed survives the machine's
// failure too, not just the program's, which costs a write to the disk each time. And there are
// connections for River, which uses more than one at once.
func OpenDurable(ctx context.Context, file string) (*Store, error) {
	return openSQLite(ctx, file, "FULL", 4)
}

func openSQLite(ctx context.Context, file, synchronous string, writers int) (*Store, error) {
	write, err := openDB(file, "rwc", synchronous)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(writers)
	write.SetMaxIdleConns(writers)
	if _, err := write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", file, err), write.Close())
	}
	read, err := openDB(file, "ro", synchronous)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &Store{write: write, read: read}, nil
}

func openDB(file, mode, synchronous string) (*sql.DB, error) {
	query := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "foreign_keys(1)"},
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: query.Encode()}
	return sql.Open("sqlite", dsn.String())
}
