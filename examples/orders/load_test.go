package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Many clients order at once, others read meanwhile, and everything adds up.
func TestManyClientsAtOnce(t *testing.T) {
	orders, clients := 2000, 16
	if testing.Short() {
		orders = 200
	}
	p := start(t, "-grace", "2m")
	var sent, taken atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := sent.Add(1); n <= int64(orders); n = sent.Add(1) {
				got, err := p.tryPost(orderJSON(fmt.Sprintf(`[{"id": "apple", "quantity": %d}, {"id": "pear", "quantity": 1}]`, n%7+1)))
				if assert.NoError(t, err) && assert.Equal(t, http.StatusCreated, got.status, string(got.body)) {
					taken.Add(n%7 + 1)
				}
				if n%10 == 0 {
					got, err := p.try(http.MethodGet, fmt.Sprintf("/orders/%d", orderID(t, got.body)), nil, nil)
					assert.NoError(t, err)
					assert.Equal(t, http.StatusOK, got.status, string(got.body))
				}
			}
		})
	}
	wg.Wait()
	counts := p.stop()
	assert.EqualValues(t, 5*orders, counts["Succeeded"])
	assert.NotContains(t, p.stderr.String(), "locked")
	assert.NotContains(t, p.stderr.String(), `"level":"ERROR"`)

	store := storeOf(t, p)
	assert.Equal(t, 1_000_000-int(taken.Load()), stock(t, store, "apple"))
	assert.Equal(t, 1_000_000-orders, stock(t, store, "pear"))
	assertEachOrderIsProcessed(t, store, orders)
	mail, err := os.ReadDir(filepath.Join(p.dir, "outbox"))
	require.NoError(t, err)
	assert.Len(t, mail, orders)
}

// assertEachOrderIsProcessed reads all steps at once: reading 2,000 orders one by one takes
// longer than processing them.
func assertEachOrderIsProcessed(t *testing.T, store *Store, orders int) {
	t.Helper()
	steps, err := query(t.Context(), store.read, scanStep,
		`SELECT name, state, attempt, started_at, ended_at, error FROM steps ORDER BY order_id, position`)
	require.NoError(t, err)
	audit, err := query(t.Context(), store.read, scanText, `SELECT event FROM audit ORDER BY order_id`)
	require.NoError(t, err)
	require.Len(t, steps, orders*len(stepNames))
	require.Len(t, audit, orders)
	for i := range orders {
		assertAllSucceeded(t, Order{
			ID:    int64(i + 1),
			Steps: steps[i*len(stepNames) : (i+1)*len(stepNames)],
			Audit: audit[i : i+1],
		})
	}
}

func scanText(rows *sql.Rows) (s string, err error) {
	err = rows.Scan(&s)
	return s, err
}
