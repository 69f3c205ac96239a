package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openTestStore opens a database file that is new.
func openTestStore(t *testing.T) *Store {
	t.Helper()
	return openStoreFile(t, filepath.Join(t.TempDir(), "orders.db"))
}

func openStoreFile(t *testing.T, file string) *Store {
	t.Helper()
	store, err := OpenStore(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

func nothingMore(Tx) error { return nil }

func testOrder(lines ...Line) Order {
	if lines == nil {
		lines = []Line{{"apple", 2}}
	}
	return Order{CustomerID: "c-1", Email: "you@example.com", Items: lines}
}

// createTestOrder stores an order with all its steps.
func createTestOrder(t *testing.T, store *Store, lines ...Line) Order {
	t.Helper()
	o := testOrder(lines...)
	require.NoError(t, store.CreateOrder(t.Context(), &o, stepNames, nothingMore))
	return o
}

func attempt(order int64, position, number int) Attempt {
	return Attempt{order, position, number, time.Now()}
}

func stock(t *testing.T, store *Store, id string) int {
	t.Helper()
	items, err := store.Items(t.Context())
	require.NoError(t, err)
	for _, item := range items {
		if item.ID == id {
			return item.Stock
		}
	}
	t.Fatalf("no item %q", id)
	return 0
}

func storedOrders(t *testing.T, store *Store) []Order {
	t.Helper()
	orders, err := store.Orders(t.Context(), 1000)
	require.NoError(t, err)
	return orders
}

func states(o Order) []string {
	all := []string{}
	for _, step := range o.Steps {
		all = append(all, step.State)
	}
	return all
}

func TestCreatedOrderIsReadBack(t *testing.T) {
	store := openTestStore(t)
	o := createTestOrder(t, store, Line{"pear", 3}, Line{"apple", 1}, Line{"pear", 1})

	got, err := store.Order(t.Context(), o.ID)
	require.NoError(t, err)
	assert.Equal(t, "c-1", got.CustomerID)
	assert.Equal(t, "you@example.com", got.Email)
	assert.Equal(t, o.Items, got.Items, "in the order given")
	assert.True(t, o.CreatedAt.Equal(got.CreatedAt))
	require.Len(t, got.Steps, 5)
	for i, step := range got.Steps {
		assert.Equal(t, Step{Name: stepNames[i], State: "pending"}, step)
	}
	assert.Empty(t, got.Audit)
}

func TestUnknownItemStoresNothing(t *testing.T) {
	store := openTestStore(t)
	o := testOrder(Line{"apple", 1}, Line{"melon", 1})
	err := store.CreateOrder(t.Context(), &o, stepNames, func(Tx) error {
		t.Error("went on")
		return nil
	})
	var item *ItemError
	require.ErrorAs(t, err, &item)
	assert.Equal(t, "melon", item.ID)
	assert.Empty(t, storedOrders(t, store))
}

func TestNothingIsStoredWhereTheRestFails(t *testing.T) {
	store := openTestStore(t)
	refusal := errors.New("no room")
	o := testOrder()
	err := store.CreateOrder(t.Context(), &o, stepNames, func(Tx) error { return refusal })
	require.ErrorIs(t, err, refusal)
	assert.Empty(t, storedOrders(t, store))
	_, err = store.Order(t.Context(), o.ID)
	require.ErrorIs(t, err, ErrNoOrder)

	next := createTestOrder(t, store)
	assert.EqualValues(t, 1, next.ID, "the number is given to the next one")
}

func TestCancelledRequestStoresNothingAndFreesTheDatabase(t *testing.T) {
	store := openTestStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := testOrder()
	err := store.CreateOrder(ctx, &o, stepNames, func(Tx) error {
		cancel()
		return nil
	})
	require.Error(t, err)
	assert.Empty(t, storedOrders(t, store))
	createTestOrder(t, store)
}

func TestStockIsTakenForAllLinesOrNone(t *testing.T) {
	store := openTestStore(t)
	require.NoError(t, store.TakeFromStock(t.Context(), []Line{{"apple", 10}, {"quince", 2}, {"apple", 1}}))
	assert.Equal(t, 1_000_000-11, stock(t, store, "apple"))
	assert.Equal(t, 1, stock(t, store, "quince"))

	err := store.TakeFromStock(t.Context(), []Line{{"apple", 5}, {"quince", 2}})
	require.ErrorIs(t, err, ErrOutOfStock)
	assert.ErrorContains(t, err, `2 of "quince"`)
	assert.Equal(t, 1_000_000-11, stock(t, store, "apple"), "the first line is put back")
	assert.Equal(t, 1, stock(t, store, "quince"))
}

func TestTwoLinesOfOneItemAreCountedTogether(t *testing.T) {
	store := openTestStore(t)
	err := store.TakeFromStock(t.Context(), []Line{{"quince", 2}, {"quince", 2}})
	require.ErrorIs(t, err, ErrOutOfStock)
	assert.Equal(t, 3, stock(t, store, "quince"))
}

func TestStockNeverGoesBelowZero(t *testing.T) {
	store := openTestStore(t)
	var served, refused atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch err := store.TakeFromStock(t.Context(), []Line{{"apple", 1}, {"quince", 1}}); {
			case err == nil:
				served.Add(1)
			case errors.Is(err, ErrOutOfStock):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 3, served.Load())
	assert.EqualValues(t, 17, refused.Load())
	assert.Equal(t, 0, stock(t, store, "quince"))
	assert.Equal(t, 1_000_000-3, stock(t, store, "apple"))

	_, err := store.write.ExecContext(t.Context(), `UPDATE items SET stock = stock - 1 WHERE id = 'quince'`)
	assert.ErrorContains(t, err, "CHECK", "the table itself does not let it happen")
}

func TestStepsKeepTheirLatestAttempt(t *testing.T) {
	store, ctx := openTestStore(t), t.Context()
	o := createTestOrder(t, store)
	step := func() Step {
		got, err := store.Order(ctx, o.ID)
		require.NoError(t, err)
		return got.Steps[3]
	}
	require.NoError(t, store.StepStarted(ctx, attempt(o.ID, 4, 1)))
	first := step()
	assert.Equal(t, "running", first.State)
	assert.Equal(t, 1, first.Attempt)
	assert.NotNil(t, first.StartedAt)
	assert.Nil(t, first.EndedAt)

	require.NoError(t, store.StepEnded(ctx, attempt(o.ID, 4, 1), errors.New("not there")))
	failed := step()
	assert.Equal(t, "failed", failed.State)
	assert.Equal(t, "not there", failed.Error)
	require.NotNil(t, failed.EndedAt)
	assert.False(t, failed.EndedAt.Before(*failed.StartedAt))

	require.NoError(t, store.StepStarted(ctx, attempt(o.ID, 4, 2)))
	second := step()
	assert.Equal(t, "running", second.State)
	assert.Equal(t, 2, second.Attempt)
	assert.Nil(t, second.EndedAt)
	assert.False(t, second.StartedAt.Before(*failed.EndedAt))

	require.NoError(t, store.StepEnded(ctx, attempt(o.ID, 4, 2), nil))
	done := step()
	assert.Equal(t, "succeeded", done.State)
	assert.Empty(t, done.Error, "of the attempt before")
}

func TestAuditSaysWhatBecameOfEachStep(t *testing.T) {
	store, ctx := openTestStore(t), t.Context()
	o, other := createTestOrder(t, store), createTestOrder(t, store)
	require.NoError(t, store.StepStarted(ctx, attempt(o.ID, 1, 1)))
	require.NoError(t, store.StepEnded(ctx, attempt(o.ID, 1, 1), nil))
	require.NoError(t, store.StepStarted(ctx, attempt(o.ID, 2, 1)))
	require.NoError(t, store.StepEnded(ctx, attempt(o.ID, 2, 1), ErrOutOfStock))
	require.NoError(t, store.Audit(ctx, o.ID, 5))

	got, err := store.Order(ctx, o.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"succeeded", "failed", "skipped", "skipped", "pending"}, states(got))
	assert.Equal(t, []string{"validate order succeeded, update inventory failed, send confirmation skipped, notify fulfilment skipped"}, got.Audit)

	got, err = store.Order(ctx, other.ID)
	require.NoError(t, err)
	assert.Equal(t, []string{"pending", "pending", "pending", "pending", "pending"}, states(got))
	assert.Empty(t, got.Audit)
}

func TestOrdersListsTheLatestFirst(t *testing.T) {
	store := openTestStore(t)
	assert.NotNil(t, storedOrders(t, store), "JSON shows a list")
	for range 4 {
		createTestOrder(t, store)
	}
	orders, err := store.Orders(t.Context(), 3)
	require.NoError(t, err)
	require.Len(t, orders, 3)
	for i, id := range []int64{4, 3, 2} {
		assert.Equal(t, id, orders[i].ID)
	}
}
