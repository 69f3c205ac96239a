package main

import (
	"context"
	"errors"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
)

// The tasks of an order: plain functions of a context and a struct, which know nothing of
// HTTP or of task lists. workflow.go puts them together; durable_steps.go does so for tasks that
// are not to be lost.

var errNoCustomer = errors.New("customer ID is required")

// validateOrder checks what the handler leaves to later.
func validateOrder(_ context.Context, o Order) error {
	if o.CustomerID == "" {
		return errNoCustomer
	}
	return nil
}

type inventoryUpdate struct {
	Store *Store
	Items []Line
}

// updateInventory takes the ordered items out of stock, all or none.
func updateInventory(ctx context.Context, in inventoryUpdate) error {
	return in.Store.TakeFromStock(ctx, in.Items)
}

type confirmation struct {
	Mailer Mailer
	Order  Order
}

// sendConfirmation mails the customer.
func sendConfirmation(ctx context.Context, in confirmation) error {
	mail, err := confirmationMail(in.Order)
	if err != nil {
		return err
	}
	mail.Key = bgriver.Key(ctx) // none in memory
	return in.Mailer.Send(ctx, mail)
}

type fulfilment struct {
	Webhook *Webhook
	Order   Order
}

// notifyFulfilment tells the warehouse.
func notifyFulfilment(ctx context.Context, in fulfilment) error {
	return in.Webhook.Post(ctx, map[string]any{
		"order_id": in.Order.ID,
		"items":    in.Order.Items,
		"priority": "standard",
	})
}

type auditEntry struct {
	Store    *Store
	OrderID  int64
	Position int
}

// writeAudit records how the steps before it have ended.
func writeAudit(ctx context.Context, in auditEntry) error {
	return in.Store.Audit(ctx, in.OrderID, in.Position)
}
