package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReopenedFileHasEverything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "orders.db")
	store, err := OpenStore(t.Context(), file)
	require.NoError(t, err)
	o := createTestOrder(t, store)
	require.NoError(t, store.TakeFromStock(t.Context(), o.Items))
	require.NoError(t, store.Close())

	store = openStoreFile(t, file)
	assert.Len(t, storedOrders(t, store), 1)
	assert.Equal(t, 1_000_000-2, stock(t, store, "apple"), "not filled up again")
}

func TestFolderOfAnyNameHoldsTheDatabase(t *testing.T) {
	for _, name := range []string{"with space", "percent%20", "question?mode=memory", "hash#1", "ünïcode", "a&b=c;d"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			require.NoError(t, os.Mkdir(dir, 0o755))
			store := openStoreFile(t, filepath.Join(dir, "orders.db"))
			createTestOrder(t, store)
			assert.FileExists(t, filepath.Join(dir, "orders.db"))
		})
	}
}

func TestFileThatIsNoDatabaseIsSaidInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "orders.db")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o644))
	_, err := OpenStore(t.Context(), file)
	require.ErrorContains(t, err, file)
	assert.NotContains(t, err.Error(), "\n")
}

func TestReadersAndWritersDoNotLockEachOtherOut(t *testing.T) {
	store := openTestStore(t)
	o := createTestOrder(t, store)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				assert.NoError(t, store.TakeFromStock(t.Context(), []Line{{"apple", 1}}))
			}
		})
		wg.Go(func() {
			for range 20 {
				_, err := store.Order(t.Context(), o.ID)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1_000_000-80, stock(t, store, "apple"))
}
