package main

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// An export is made in temporary files and sent from one, which therefore must stay until the
// last byte has been sent. A task removes them then.

const exportOrders = 10_000

func (a *api) export(w http.ResponseWriter, r *http.Request) {
	dir, err := os.MkdirTemp(a.tempDir(), "export-")
	if err != nil {
		fail(w, r, err)
		return
	}
	file, archive := filepath.Join(dir, "orders.csv"), filepath.Join(dir, "orders.zip")
	if err := addCleanup(r.Context(), file, archive, dir); err != nil {
		fail(w, r, err)
		return
	}
	if err := a.writeExport(r.Context(), file, archive); err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="orders.zip"`)
	http.ServeFile(w, r, archive)
}

func (a *api) writeExport(ctx context.Context, file, archive string) error {
	orders, err := a.store.Orders(ctx, exportOrders)
	if err != nil {
		return err
	}
	rows := [][]string{{"order_id", "customer_id", "email", "created_at"}}
	for _, o := range orders {
		rows = append(rows, []string{strconv.FormatInt(o.ID, 10), o.CustomerID, o.Email, stamp(o.CreatedAt)})
	}
	if err := writeWhole(file, func(w io.Writer) error { return writeCSV(w, rows) }); err != nil {
		return err
	}
	return writeWhole(archive, func(w io.Writer) error { return compress(w, file) })
}

func compress(w io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	archive := zip.NewWriter(w)
	entry, err := archive.Create(filepath.Base(file))
	if err != nil {
		return err
	}
	if _, err := io.Copy(entry, f); err != nil {
		return err
	}
	return archive.Close()
}

// writeCSV writes texts that stay texts: what a spreadsheet would take for a formula gets an
// apostrophe in front of it.
func writeCSV(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cell = "'" + cell
			}
			cells[i] = cell
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
