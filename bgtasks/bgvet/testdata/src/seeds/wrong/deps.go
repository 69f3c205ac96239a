// Package wrong has handlers with exactly one mistake each.
//
// The line of the mistake ends in WRONG(category) and the name of the case. Where a report could
// as well be expected on another line of the same mistake, that line ends in ALSO(category).
package wrong

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

type Item struct {
	SKU string `json:"sku"`
	Qty int    `json:"qty"`
}

type Order struct {
	ID     int64  `json:"id"`
	Email  string `json:"email"`
	Status string `json:"status"`
	Total  int    `json:"total"`
	Items  []Item `json:"items"`
}

type Mail struct{ To, Subject, Body string }

type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

type Blobs interface {
	Put(ctx context.Context, key string, content io.Reader) error
}

type Store struct{ db *sql.DB }

func (s *Store) SaveOrder(ctx context.Context, o Order) (int64, error) {
	res, err := s.db.ExecContext(ctx, `INSERT INTO orders (email, total) VALUES (?, ?)`, o.Email, o.Total)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func (s *Store) Order(ctx context.Context, id string) (Order, error) {
	var o Order
	err := s.db.QueryRowContext(ctx, `SELECT id, email, total FROM orders WHERE id = ?`, id).Scan(&o.ID, &o.Email, &o.Total)
	return o, err
}

func (s *Store) SetStatus(ctx context.Context, id, status string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE orders SET status = ? WHERE id = ?`, status, id)
	return err
}

func (s *Store) Reserve(ctx context.Context, it Item) error {
	_, err := s.db.ExecContext(ctx, `UPDATE stock SET free = free - ? WHERE sku = ?`, it.Qty, it.SKU)
	return err
}

func (s *Store) Audit(ctx context.Context, line string) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO audit (line) VALUES (?)`, line)
	return err
}

// Server has what the handlers depend on.
type Server struct {
	store  *Store
	mail   Mailer
	blobs  Blobs
	client *http.Client
	log    *slog.Logger
	dir    string // where files are kept
}

func (s *Server) reindex(ctx context.Context, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://search/reindex/"+id, nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("reindex %s: %s", id, res.Status)
	}
	return nil
}

func (s *Server) post(ctx context.Context, url string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// later adds a task with the limits that all tasks of this service have.
func (s *Server) later(ctx context.Context, name string, fn bgtasks.Func) error {
	return bgtasks.Add(ctx, name, fn,
		bgtasks.Timeout(30*time.Second),
		bgtasks.Retry(3, bgtasks.Backoff(time.Second, 10*time.Second)))
}

// enqueue is later for a function with an argument.
func enqueue[T any](ctx context.Context, name string, fn func(context.Context, T) error, arg T) error {
	return bgtasks.Add(ctx, name, bgtasks.Bind(fn, arg), bgtasks.Timeout(time.Minute))
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, "busy", http.StatusServiceUnavailable)
}

func decodeOrder(r *http.Request) (Order, error) {
	var o Order
	err := json.NewDecoder(r.Body).Decode(&o)
	return o, err
}

// Account is locked for as long as a request works on it.
type Account struct {
	sync.Mutex
	balance int
	history []string
}
