package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExportIsSentAndItsFilesAreRemovedThen(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.processed(p.order(orderFrom("=HYPERLINK(1)", "you@example.com")))
	got := p.request("GET", "/export", nil, nil)
	require.Equal(t, 200, got.status)
	assert.Equal(t, `attachment; filename="orders.zip"`, got.header.Get("Content-Disposition"))
	rows := readExport(t, got.body)
	require.Len(t, rows, 2)
	assert.Equal(t, []string{"order_id", "customer_id", "email", "created_at"}, rows[0])
	assert.Equal(t, []string{"1", "'=HYPERLINK(1)", "you@example.com"}, rows[1][:3], "no formula")
	eventually(t, "the temporary files are gone", func() bool { return len(p.temps()) == 0 })
}

func readExport(t *testing.T, data []byte) [][]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	file, err := archive.Open("orders.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	return rows
}

// What was not made needs no removal.
func TestExportThatFailsIsCleanedUpAfter(t *testing.T) {
	t.Parallel()
	p := start(t)
	store := openStoreFile(t, filepath.Join(p.dir, "orders.db"))
	_, err := store.write.ExecContext(t.Context(), `ALTER TABLE orders RENAME TO elsewhere`)
	require.NoError(t, err)
	assertProblem(t, p.request("GET", "/export", nil, nil), 500, "")
	assert.EqualValues(t, 1, p.stop()["Succeeded"], "the cleanup")
	assert.Empty(t, p.temps())
}

// Whatever a client does, nothing of an export is left.
func TestExportWhoseClientGoesIsRemovedAsWell(t *testing.T) {
	t.Parallel()
	p := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET /export HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	eventually(t, "the export has been asked for", func() bool { return strings.Contains(p.stderr.String(), "GET /export") })
	p.stop()
	assert.Empty(t, p.temps())
}
