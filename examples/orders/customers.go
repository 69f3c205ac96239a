package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// A customer is stored at once, and synced to an external CRM after the answer. How that ended
// is recorded, whether it went well or not.

// Customer as it is stored.
type Customer struct {
	ID        string     `json:"customer_id"`
	Name      string     `json:"name"`
	Email     string     `json:"email"`
	Sync      string     `json:"sync"` // pending, synced or failed
	SyncError string     `json:"sync_error,omitempty"`
	SyncedAt  *time.Time `json:"synced_at,omitempty"`
}

type customerInput struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (in *customerInput) check() error {
	if _, err := parseAddress(in.Email); err != nil || len(in.Email) > maxText {
		return unprocessable("email is not an address")
	}
	return checkName(in.Name)
}

func (a *api) putCustomer(w http.ResponseWriter, r *http.Request) {
	id, err := customerID(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	var in customerInput
	if !accept(w, r, &in) {
		return
	}
	c := Customer{ID: id, Name: in.Name, Email: in.Email, Sync: "pending"}
	err = a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		sync := &customerSync{a.store, a.crm, c}
		return []followUp{{"sync customer", bgtasks.Bind(syncCustomer, sync), []bgtasks.Option{
			bgtasks.Timeout(a.crmTimeout),
			recordEnd(func(ctx context.Context, failure error) error { return a.store.SyncEnded(ctx, sync.Customer, failure) }),
		}}}, upsertCustomer(ctx, tx, c)
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	render.JSON(w, r, map[string]any{"customer": c, "status": "updated"})
}

// customerID is out of the path, where it can have a slash in it: %2F. chi leaves it so then.
func customerID(r *http.Request) (id string, err error) {
	id = chi.URLParam(r, "id")
	if r.URL.RawPath != "" {
		id, err = url.PathUnescape(id)
	}
	if err != nil || len(id) > maxText || hasControl(id) || !isText(id) {
		return "", unprocessable("the customer's id is too long, no text, or has control characters in it")
	}
	if id == "." || id == ".." { // at the end of the CRM's URL it would be another address
		return "", unprocessable("the customer's id can't be %s", id)
	}
	return id, nil
}

func (a *api) getCustomer(w http.ResponseWriter, r *http.Request) {
	id, err := customerID(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	c, err := a.store.Customer(r.Context(), id)
	answer(w, r, c, err)
}

type customerSync struct {
	Store    *Store
	CRM      *CRM
	Customer Customer // as the CRM has been told
}

// syncCustomer tells the CRM. Its time is limited by ctx. A customer can be changed again meanwhile, and the
// CRM then hear of the changes in either order, or perhaps not: so the last to be heard tells it what is stored.
func syncCustomer(ctx context.Context, in *customerSync) error {
	for {
		failure := in.CRM.Put(ctx, in.Customer.ID, map[string]string{"name": in.Customer.Name, "email": in.Customer.Email})
		changed, err := in.update(ctx)
		if err != nil || !changed || ctx.Err() != nil {
			return errors.Join(failure, err)
		}
	}
}

// update has the task be about what is stored, and reports whether it was about something else.
func (in *customerSync) update(ctx context.Context) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout) // the task's own may be over
	defer cancel()
	stored, err := in.Store.Customer(ctx, in.Customer.ID)
	if err != nil {
		return false, err
	}
	changed = stored.Name != in.Customer.Name || stored.Email != in.Customer.Email
	in.Customer = stored
	return changed, nil
}

func upsertCustomer(ctx context.Context, tx Tx, c Customer) error {
	_, err := tx.Exec(ctx,
		`INSERT INTO customers (id, name, email, sync) VALUES ($1, $2, $3, $4)
		 ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, sync = excluded.sync, sync_error = NULL, synced_at = NULL`,
		c.ID, c.Name, c.Email, c.Sync)
	return err
}

// SyncEnded records how it went, unless c is no longer what is stored.
func (s *Store) SyncEnded(ctx context.Context, c Customer, failure error) error {
	state, text := ended("synced", failure)
	_, err := s.write.ExecContext(ctx,
		`UPDATE customers SET sync = $1, sync_error = $2, synced_at = $3 WHERE id = $4 AND name = $5 AND email = $6`,
		state, text, stamp(time.Now()), c.ID, c.Name, c.Email)
	return err
}

// Customer returns the one of that ID.
func (s *Store) Customer(ctx context.Context, id string) (c Customer, err error) {
	var failure, at sql.NullString
	err = s.read.QueryRowContext(ctx, `SELECT id, name, email, sync, sync_error, synced_at FROM customers WHERE id = $1`, id).
		Scan(&c.ID, &c.Name, &c.Email, &c.Sync, &failure, &at)
	if err != nil {
		return c, orNotFound(err, problem(http.StatusNotFound, "no such customer"))
	}
	c.SyncError = failure.String
	c.SyncedAt, err = parseNull(at)
	return c, err
}
