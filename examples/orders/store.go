package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A Store keeps orders, their steps and the inventory in a database: an SQLite file
// (store_sqlite.go) or Postgres (store_postgres.go). The SQL is the same for both; schema.sql
// and schema_postgres.sql have the tables.
type Store struct {
	write, read *sql.DB
	postgres    *pgxpool.Pool // below both; nil: it is SQLite
}

// Close closes the database. Nobody may use the store any more.
func (s *Store) Close() error {
	err := errors.Join(s.read.Close(), s.write.Close())
	if s.postgres != nil {
		s.postgres.Close()
	}
	return err
}

// Errors of the store.
var (
	ErrNoOrder    = errors.New("no such order")
	ErrOutOfStock = errors.New("out of stock")
)

// An ItemError says which item something is wrong with.
type ItemError struct{ ID string }

func (e *ItemError) Error() string { return fmt.Sprintf("unknown item %q", e.ID) }

// Item is what can be ordered.
type Item struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Stock int    `json:"stock"`
}

// Line is one line of an order.
type Line struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

// Order as it is stored.
type Order struct {
	ID         int64     `json:"order_id"`
	CustomerID string    `json:"customer_id"`
	Email      string    `json:"email"`
	Items      []Line    `json:"items,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	Steps      []Step    `json:"steps,omitempty"`
	Audit      []string  `json:"audit,omitempty"`
}

// Step is what has become of one task of an order.
type Step struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Attempt   int        `json:"attempt"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// CreateOrder stores the order and its steps, and has then do the rest, in the same transaction:
// if that fails, nothing is stored.
func (s *Store) CreateOrder(ctx context.Context, o *Order, steps []string, then func(Tx) error) error {
	return s.tx(ctx, func(tx Tx) error {
		o.CreatedAt = time.Now().UTC()
		err := tx.QueryRow(ctx, `INSERT INTO orders (customer_id, email, created_at) VALUES ($1, $2, $3) RETURNING id`,
			o.CustomerID, o.Email, stamp(o.CreatedAt)).Scan(&o.ID)
		if err != nil {
			return err
		}
		if err := insertLines(ctx, tx, o); err != nil {
			return err
		}
		for i, name := range steps {
			if _, err := tx.Exec(ctx, `INSERT INTO steps (order_id, position, name, state) VALUES ($1, $2, $3, 'pending')`,
				o.ID, i+1, name); err != nil {
				return err
			}
		}
		return then(tx)
	})
}

func insertLines(ctx context.Context, tx Tx, o *Order) error {
	for _, line := range o.Items {
		n, err := tx.Exec(ctx,
			`INSERT INTO order_items (order_id, item_id, quantity) SELECT $1, id, $2 FROM items WHERE id = $3`,
			o.ID, line.Quantity, line.ID)
		if err := orNone(n, err, &ItemError{line.ID}); err != nil {
			return err
		}
	}
	return nil
}

// TakeFromStock takes all lines out of the inventory, or none if there is not enough of one.
func (s *Store) TakeFromStock(ctx context.Context, lines []Line) error {
	return s.tx(ctx, func(tx Tx) error { return takeFromStock(ctx, tx, lines) })
}

// byItem is the order in which all go through the stock, so that of two on Postgres one waits for
// the other, and not each for the other.
func byItem(lines []Line) []Line {
	return slices.SortedStableFunc(slices.Values(lines), func(a, b Line) int { return strings.Compare(a.ID, b.ID) })
}

func takeFromStock(ctx context.Context, tx Tx, lines []Line) error {
	for _, line := range byItem(lines) {
		n, err := tx.Exec(ctx, `UPDATE items SET stock = stock - $1 WHERE id = $2 AND stock >= $1`, line.Quantity, line.ID)
		if err := orNone(n, err, fmt.Errorf("%w: %d of %q", ErrOutOfStock, line.Quantity, line.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Attempt is one at a step of an order.
type Attempt struct {
	Order    int64
	Position int // of the step, from 1
	Number   int // from 1
	Began    time.Time
}

// StepStarted records that an attempt begins.
func (s *Store) StepStarted(ctx context.Context, a Attempt) error {
	_, err := s.write.ExecContext(ctx,
		`UPDATE steps SET state = 'running', attempt = $1, started_at = $2, ended_at = NULL, error = NULL WHERE order_id = $3 AND position = $4`,
		a.Number, stamp(a.Began), a.Order, a.Position)
	return err
}

// StepEnded records how an attempt has ended, and that it began: that may not have been recorded, for
// it is done in the step's own time.
func (s *Store) StepEnded(ctx context.Context, a Attempt, failure error) error {
	return stepEnded(ctx, sqlTx{s.write}, a, failure)
}

func stepEnded(ctx context.Context, tx Tx, a Attempt, failure error) error {
	state, text := ended("succeeded", failure)
	_, err := tx.Exec(ctx,
		`UPDATE steps SET state = $1, error = $2, ended_at = $3, attempt = $4, started_at = $5 WHERE order_id = $6 AND position = $7`,
		state, text, stamp(time.Now()), a.Number, stamp(a.Began), a.Order, a.Position)
	return err
}

// ended is what to store of something that ended well, or failed.
func ended(well string, failure error) (state string, text sql.NullString) {
	if failure == nil {
		return well, text
	}
	// What others have answered may be in it; Postgres stores text only: see isText.
	reason := strings.ReplaceAll(strings.ToValidUTF8(failure.Error(), "\uFFFD"), "\x00", "\uFFFD")
	return "failed", sql.NullString{String: reason, Valid: true}
}

// Audit writes down that the order's tasks are through, with what became of each. Steps
// that have not started by then have been skipped. What it says already it does not say again.
func (s *Store) Audit(ctx context.Context, order int64, upTo int) error {
	return s.tx(ctx, func(tx Tx) error { return audit(ctx, tx, order, upTo) })
}

func audit(ctx context.Context, tx Tx, order int64, upTo int) error {
	if _, err := tx.Exec(ctx,
		`UPDATE steps SET state = 'skipped' WHERE order_id = $1 AND position < $2 AND state = 'pending'`,
		order, upTo); err != nil {
		return err
	}
	_, err := tx.Exec(ctx,
		`INSERT INTO audit (order_id, at, event) SELECT $1, $2, now.event
		 FROM (SELECT string_agg(name || ' ' || state, ', ' ORDER BY position) AS event FROM steps WHERE order_id = $1 AND position < $3) AS now
		 WHERE NOT EXISTS (SELECT 1 FROM audit WHERE order_id = $1 AND event = now.event)`,
		order, stamp(time.Now()), upTo)
	return err
}

// Orders returns the latest ones, without their details.
func (s *Store) Orders(ctx context.Context, most int) ([]Order, error) {
	return query(ctx, s.read, func(rows *sql.Rows) (o Order, err error) {
		var at string
		if err = rows.Scan(&o.ID, &o.CustomerID, &o.Email, &at); err == nil {
			o.CreatedAt, err = parseStamp(at)
		}
		return o, err
	}, `SELECT id, customer_id, email, created_at FROM orders ORDER BY id DESC LIMIT $1`, most)
}

// OrdersWithSteps returns the latest ones, each with its lines, steps and audit rows.
func (s *Store) OrdersWithSteps(ctx context.Context, most int) ([]Order, error) {
	orders, err := s.Orders(ctx, most)
	for i := range orders {
		if err == nil {
			orders[i], err = s.Order(ctx, orders[i].ID)
		}
	}
	return orders, err
}

// Order returns the order with its lines, steps and audit rows.
func (s *Store) Order(ctx context.Context, id int64) (o Order, err error) {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}) // all as of one moment
	if err != nil {
		return o, err
	}
	defer func() { _ = tx.Rollback() }()
	var at string
	err = tx.QueryRowContext(ctx, `SELECT id, customer_id, email, created_at FROM orders WHERE id = $1`, id).
		Scan(&o.ID, &o.CustomerID, &o.Email, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return o, ErrNoOrder
	}
	if err != nil {
		return o, err
	}
	var errs [4]error
	o.CreatedAt, errs[0] = parseStamp(at)
	o.Items, errs[1] = query(ctx, tx, func(rows *sql.Rows) (l Line, err error) {
		err = rows.Scan(&l.ID, &l.Quantity)
		return l, err
	}, `SELECT item_id, quantity FROM order_items WHERE order_id = $1 ORDER BY rowid`, id)
	o.Steps, errs[2] = query(ctx, tx, scanStep,
		`SELECT name, state, attempt, started_at, ended_at, error FROM steps WHERE order_id = $1 ORDER BY position`, id)
	o.Audit, errs[3] = query(ctx, tx, func(rows *sql.Rows) (event string, err error) {
		err = rows.Scan(&event)
		return event, err
	}, `SELECT event FROM audit WHERE order_id = $1 ORDER BY id`, id)
	return o, errors.Join(errs[:]...)
}

// Items returns the inventory.
func (s *Store) Items(ctx context.Context) ([]Item, error) {
	return query(ctx, s.read, func(rows *sql.Rows) (i Item, err error) {
		err = rows.Scan(&i.ID, &i.Name, &i.Stock)
		return i, err
	}, `SELECT id, name, stock FROM items ORDER BY id`)
}

func scanStep(rows *sql.Rows) (s Step, err error) {
	var started, ended, failure sql.NullString
	if err = rows.Scan(&s.Name, &s.State, &s.Attempt, &started, &ended, &failure); err != nil {
		return s, err
	}
	s.Error = failure.String
	if s.StartedAt, err = parseNull(started); err != nil {
		return s, err
	}
	s.EndedAt, err = parseNull(ended)
	return s, err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query returns all rows, never nil, so that JSON shows a list.
func query[T any](ctx context.Context, db querier, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// one returns a single row, or sql.ErrNoRows.
func one[T any](ctx context.Context, db querier, scan func(*sql.Rows) (T, error), text string, args ...any) (T, error) {
	all, err := query(ctx, db, scan, text, args...)
	if err == nil && len(all) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return *new(T), err
	}
	return all[0], nil
}

// Times are stored as text, in UTC, sorting as they follow each other.
const layout = "2006-01-02T15:04:05.000000000Z"

func stamp(t time.Time) string { return t.UTC().Format(layout) }

func parseStamp(s string) (time.Time, error) { return time.Parse(layout, s) }

func parseNull(s sql.NullString) (*time.Time, error) {
	if !s.Valid {
		return nil, nil
	}
	t, err := parseStamp(s.String)
	return &t, err
}
