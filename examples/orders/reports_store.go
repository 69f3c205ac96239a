package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"time"
)

func insertReport(ctx context.Context, tx Tx, r *Report) error {
	return tx.QueryRow(ctx, `INSERT INTO reports (kind, since, requested_at, state) VALUES ($1, $2, $3, $4) RETURNING id`,
		r.Kind, stamp(r.Since), stamp(r.RequestedAt), r.State).Scan(&r.ID)
}

// ReportEnded records whether there is a file.
func (s *Store) ReportEnded(ctx context.Context, id int64, failure error) error {
	state, text := ended("completed", failure)
	_, err := s.write.ExecContext(ctx, `UPDATE reports SET state = $1, error = $2 WHERE id = $3`, state, text, id)
	return err
}

// Sales are, for each item sold since then: its ID and name, the number of orders, the quantity.
func (s *Store) Sales(ctx context.Context, since time.Time) ([][]string, error) {
	return query(ctx, s.read, func(rows *sql.Rows) ([]string, error) {
		row := make([]string, 4)
		return row, rows.Scan(&row[0], &row[1], &row[2], &row[3])
	}, `SELECT items.id, items.name, count(DISTINCT orders.id), sum(order_items.quantity)
	    FROM orders JOIN order_items ON order_items.order_id = orders.id JOIN items ON items.id = order_items.item_id
	    WHERE orders.created_at >= $1 GROUP BY items.id ORDER BY items.id`, stamp(since))
}

// Reports returns the latest ones.
func (s *Store) Reports(ctx context.Context, most int) ([]Report, error) {
	return query(ctx, s.read, scanReport, selectReports+` ORDER BY id DESC LIMIT $1`, most)
}

// Report returns the one of that number.
func (s *Store) Report(ctx context.Context, id int64) (Report, error) {
	report, err := one(ctx, s.read, scanReport, selectReports+` WHERE id = $1`, id)
	return report, orNotFound(err, errNoReport)
}

var errNoReport = problem(http.StatusNotFound, "no such report")

const selectReports = `SELECT id, kind, since, requested_at, state, coalesce(error, '') FROM reports`

func scanReport(rows *sql.Rows) (r Report, err error) {
	var since, at string
	if err = rows.Scan(&r.ID, &r.Kind, &since, &at, &r.State, &r.Error); err != nil {
		return r, err
	}
	if r.State == "completed" {
		r.File = fmt.Sprintf("/reports/%d/file", r.ID)
	}
	if r.Since, err = parseStamp(since); err == nil {
		r.RequestedAt, err = parseStamp(at)
	}
	return r, err
}
