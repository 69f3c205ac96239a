package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite"
)

//go:embed schema.sql
var schema string

// A Store keeps orders, their steps and the inventory in a SQLite file.
//
// SQLite has one writer at a time. With one connection for all writes they wait for each
// other in Go, in order; readers have connections of their own and wait for nobody.
type Store struct{ write, read *sql.DB }

// OpenStore opens the file, which need not exist, and brings its tables up to date.
func OpenStore(ctx context.Context, file string) (*Store, error) {
	write, err := openDB(file, "rwc")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if _, err := write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", file, err), write.Close())
	}
	read, err := openDB(file, "ro")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &Store{write, read}, nil
}

func openDB(file, mode string) (*sql.DB, error) {
	query := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: query.Encode()}
	return sql.Open("sqlite", dsn.String())
}

// Close closes the file. Nobody may use the store any more.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// tx runs f in a transaction: all of it happens or nothing.
func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
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

// CreateOrder stores the order and its steps, and has then do the rest before it commits:
// if that fails, nothing is stored.
func (s *Store) CreateOrder(ctx context.Context, o *Order, steps []string, then func() error) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		o.CreatedAt = time.Now().UTC()
		res, err := tx.ExecContext(ctx, `INSERT INTO orders (customer_id, email, created_at) VALUES (?, ?, ?)`,
			o.CustomerID, o.Email, stamp(o.CreatedAt))
		if err != nil {
			return err
		}
		if o.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		if err := insertLines(ctx, tx, o); err != nil {
			return err
		}
		for i, name := range steps {
			if _, err := tx.ExecContext(ctx, `INSERT INTO steps (order_id, position, name, state) VALUES (?, ?, ?, 'pending')`,
				o.ID, i+1, name); err != nil {
				return err
			}
		}
		return then()
	})
}

func insertLines(ctx context.Context, tx *sql.Tx, o *Order) error {
	for _, line := range o.Items {
		res, err := tx.ExecContext(ctx,
			`INSERT INTO order_items (order_id, item_id, quantity) SELECT ?, id, ? FROM items WHERE id = ?`,
			o.ID, line.Quantity, line.ID)
		if err != nil {
			return err
		}
		if err := affected(res, &ItemError{line.ID}); err != nil {
			return err
		}
	}
	return nil
}

// TakeFromStock takes all lines out of the inventory, or none if there is not enough of one.
func (s *Store) TakeFromStock(ctx context.Context, lines []Line) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, line := range lines {
			res, err := tx.ExecContext(ctx, `UPDATE items SET stock = stock - ? WHERE id = ? AND stock >= ?`,
				line.Quantity, line.ID, line.Quantity)
			if err != nil {
				return err
			}
			if err := affected(res, fmt.Errorf("%w: %d of %q", ErrOutOfStock, line.Quantity, line.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// affected is none if a statement has changed nothing.
func affected(res sql.Result, none error) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return none
	}
	return err
}

// StepStarted records that an attempt begins.
func (s *Store) StepStarted(ctx context.Context, order int64, position, attempt int) error {
	_, err := s.write.ExecContext(ctx,
		`UPDATE steps SET state = 'running', attempt = ?, started_at = ?, ended_at = NULL, error = NULL WHERE order_id = ? AND position = ?`,
		attempt, stamp(time.Now()), order, position)
	return err
}

// StepEnded records how an attempt has ended.
func (s *Store) StepEnded(ctx context.Context, order int64, position int, failure error) error {
	state, text := ended("succeeded", failure)
	_, err := s.write.ExecContext(ctx,
		`UPDATE steps SET state = ?, error = ?, ended_at = ? WHERE order_id = ? AND position = ?`,
		state, text, stamp(time.Now()), order, position)
	return err
}

// ended is what to store of something that ended well, or failed.
func ended(well string, failure error) (state string, text sql.NullString) {
	if failure == nil {
		return well, text
	}
	return "failed", sql.NullString{String: failure.Error(), Valid: true}
}

// Audit writes down that the order's tasks are through, with what became of each. Steps
// that have not started by then have been skipped.
func (s *Store) Audit(ctx context.Context, order int64, upTo int) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx,
			`UPDATE steps SET state = 'skipped' WHERE order_id = ? AND position < ? AND state = 'pending'`,
			order, upTo); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO audit (order_id, at, event)
			 SELECT ?, ?, group_concat(name || ' ' || state, ', ' ORDER BY position) FROM steps WHERE order_id = ? AND position < ?`,
			order, stamp(time.Now()), order, upTo)
		return err
	})
}

// Orders returns the latest ones, without their details.
func (s *Store) Orders(ctx context.Context, most int) ([]Order, error) {
	return query(ctx, s.read, func(rows *sql.Rows) (o Order, err error) {
		var at string
		if err = rows.Scan(&o.ID, &o.CustomerID, &o.Email, &at); err == nil {
			o.CreatedAt, err = parseStamp(at)
		}
		return o, err
	}, `SELECT id, customer_id, email, created_at FROM orders ORDER BY id DESC LIMIT ?`, most)
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
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // all as of one moment
	if err != nil {
		return o, err
	}
	defer func() { _ = tx.Rollback() }()
	var at string
	err = tx.QueryRowContext(ctx, `SELECT id, customer_id, email, created_at FROM orders WHERE id = ?`, id).
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
	}, `SELECT item_id, quantity FROM order_items WHERE order_id = ? ORDER BY rowid`, id)
	o.Steps, errs[2] = query(ctx, tx, scanStep,
		`SELECT name, state, attempt, started_at, ended_at, error FROM steps WHERE order_id = ? ORDER BY position`, id)
	o.Audit, errs[3] = query(ctx, tx, func(rows *sql.Rows) (event string, err error) {
		err = rows.Scan(&event)
		return event, err
	}, `SELECT event FROM audit WHERE order_id = ? ORDER BY id`, id)
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
