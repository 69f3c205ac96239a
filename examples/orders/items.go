package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Creating and deleting an item: both are logged and mailed to the shop's keeper, after the
// answer. The tasks are given all that they say: once an item is deleted nobody can look it up.

var itemID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (i *Item) check() error {
	switch {
	case !itemID.MatchString(i.ID):
		return unprocessable("id: up to 40 of a to z, 0 to 9 and -")
	case i.Stock < 0 || i.Stock > maxQuantity:
		return unprocessable("stock must be from 0 to %d", maxQuantity)
	}
	return checkName(i.Name)
}

func (a *api) createItem(w http.ResponseWriter, r *http.Request) {
	var item Item
	if !accept(w, r, &item) {
		return
	}
	err := a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		return a.tellKeeper("New item", item), insertItem(ctx, tx, item)
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	render.Status(r, http.StatusCreated)
	render.JSON(w, r, map[string]any{"item_id": item.ID, "status": "created"})
}

func (a *api) deleteItem(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	if !isText(id) {
		fail(w, r, errNoItem)
		return
	}
	err := a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		item, err := deleteItem(ctx, tx, id)
		return a.tellKeeper("Deleted item", item), err
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	render.JSON(w, r, map[string]any{"message": "Item deleted"})
}

// tellKeeper is what follows both.
func (a *api) tellKeeper(event string, item Item) []followUp {
	return []followUp{
		{"write log", bgtasks.Bind(writeLog, itemEvent{event, item}), nil},
		{"send notification", bgtasks.Bind(sendNotice, notice{
			Mailer:  a.mailer,
			Name:    noticeName(),
			To:      a.keeper,
			Subject: event + ": " + item.Name,
			Text:    event + " " + item.ID + ": " + item.Name + "\n",
		}), []bgtasks.Option{bgtasks.Timeout(a.workflow.mailTimeout)}},
	}
}

type itemEvent struct {
	Event string
	Item  Item
}

func writeLog(ctx context.Context, in itemEvent) error {
	slog.InfoContext(ctx, in.Event, "item", in.Item.ID, "name", in.Item.Name)
	return nil
}

// A notice is a mail to the shop's keeper.
type notice struct {
	Mailer                  Mailer
	Name, To, Subject, Text string
}

func sendNotice(ctx context.Context, in notice) error {
	mail := &Mail{Name: in.Name, To: in.To, Subject: in.Subject, Text: in.Text}
	if err := mail.check(); err != nil {
		return err
	}
	return in.Mailer.Send(ctx, mail)
}

// noticeName is unlike any other. It is made when the task is added, so that each attempt
// sends the same mail.
func noticeName() string { return "notice-" + rand.Text() }

func insertItem(ctx context.Context, tx Tx, item Item) error {
	n, err := tx.Exec(ctx, `INSERT INTO items (id, name, stock) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		item.ID, item.Name, item.Stock)
	return orNone(n, err, problem(http.StatusConflict, "there is an item of this id"))
}

var errNoItem = problem(http.StatusNotFound, "no such item")

// deleteItem returns what it has deleted. Items that were ordered stay.
func deleteItem(ctx context.Context, tx Tx, id string) (item Item, err error) {
	var ordered bool
	err = tx.QueryRow(ctx,
		`SELECT id, name, stock, EXISTS (SELECT 1 FROM order_items WHERE item_id = items.id) FROM items WHERE id = $1`, id).
		Scan(&item.ID, &item.Name, &item.Stock, &ordered)
	if err != nil {
		return item, orNotFound(err, errNoItem)
	}
	if ordered {
		return item, problem(http.StatusConflict, "this item was ordered")
	}
	_, err = tx.Exec(ctx, `DELETE FROM items WHERE id = $1`, id)
	return item, err
}
