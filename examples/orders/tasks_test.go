package main

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mailerFunc is a Mailer of its own kind.
type mailerFunc func(ctx context.Context, m *Mail) error

func (f mailerFunc) Send(ctx context.Context, m *Mail) error { return f(ctx, m) }

func TestValidateOrderWantsACustomer(t *testing.T) {
	o := testOrder()
	require.NoError(t, validateOrder(t.Context(), o))
	o.CustomerID = ""
	require.ErrorIs(t, validateOrder(t.Context(), o), errNoCustomer)
}

func TestUpdateInventoryTakesTheItems(t *testing.T) {
	store := openTestStore(t)
	require.NoError(t, updateInventory(t.Context(), inventoryUpdate{store, []Line{{"quince", 2}}}))
	assert.Equal(t, 1, stock(t, store, "quince"))
	err := updateInventory(t.Context(), inventoryUpdate{store, []Line{{"quince", 2}}})
	require.ErrorIs(t, err, ErrOutOfStock)
	assert.Equal(t, 1, stock(t, store, "quince"))
}

func TestUpdateInventoryTakesNothingOnceItsContextHasEnded(t *testing.T) {
	store := openTestStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, updateInventory(ctx, inventoryUpdate{store, []Line{{"quince", 2}}}), context.Canceled)
	assert.Equal(t, 3, stock(t, store, "quince"))
}

func TestSendConfirmationMailsTheCustomer(t *testing.T) {
	var got *Mail
	mailer := mailerFunc(func(_ context.Context, m *Mail) error {
		got = m
		return nil
	})
	o := testOrder(Line{"apple", 2}, Line{"quince", 1000000})
	o.ID = 7
	require.NoError(t, sendConfirmation(t.Context(), confirmation{mailer, o}))
	assert.Equal(t, &Mail{
		Name:    "order-7",
		To:      "you@example.com",
		Subject: "Order 7 of customer c-1",
		Text:    "Thank you for order 7.\n\n     2 x apple\n1000000 x quince\n",
	}, got)
}

func TestSendConfirmationReportsItsMailer(t *testing.T) {
	down := errors.New("down")
	mailer := mailerFunc(func(context.Context, *Mail) error { return down })
	require.ErrorIs(t, sendConfirmation(t.Context(), confirmation{mailer, testOrder()}), down)
}

func TestSendConfirmationRefusesHostileValues(t *testing.T) {
	mailer := mailerFunc(func(_ context.Context, m *Mail) error {
		t.Errorf("sent %+v", m)
		return nil
	})
	o := testOrder()
	o.CustomerID = "c-1\r\nBcc: all@example.com"
	require.ErrorIs(t, sendConfirmation(t.Context(), confirmation{mailer, o}), errHostile)
	o = testOrder()
	o.Email = "you@example.com\r\nRCPT TO:<all@example.com>"
	require.ErrorIs(t, sendConfirmation(t.Context(), confirmation{mailer, o}), errHostile)
}

func TestNotifyFulfilmentPostsTheItems(t *testing.T) {
	rec := startReceiver(t, nil)
	o := testOrder(Line{"apple", 2}, Line{"pear", 1})
	o.ID = 7
	require.NoError(t, notifyFulfilment(t.Context(), fulfilment{newWebhook(rec.url), o}))
	got := rec.deliveries()
	require.Len(t, got, 1)
	assert.JSONEq(t, `{"order_id": 7, "items": [{"id": "apple", "quantity": 2}, {"id": "pear", "quantity": 1}], "priority": "standard"}`, string(got[0].body))
}

func TestNotifyFulfilmentReportsARejection(t *testing.T) {
	rec := startReceiver(t, statuses(http.StatusConflict))
	err := notifyFulfilment(t.Context(), fulfilment{newWebhook(rec.url), testOrder()})
	require.ErrorContains(t, err, "409 Conflict")
}

func TestWriteAuditRecordsTheSteps(t *testing.T) {
	store := openTestStore(t)
	o := createTestOrder(t, store)
	require.NoError(t, writeAudit(t.Context(), auditEntry{store, o.ID, 5}))
	got, err := store.Order(t.Context(), o.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"validate order skipped, update inventory skipped, send confirmation skipped, notify fulfilment skipped"}, got.Audit)
}
