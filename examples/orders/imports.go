package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

// A delivery is a CSV of items and quantities, to be put into stock. The handler keeps it in a
// working file, and adds the task that removes it as soon as there is one: it runs whatever
// happens afterwards, also if the handler fails and answers an error.

func (a *api) importDelivery(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/csv" {
		fail(w, r, problem(http.StatusUnsupportedMediaType, "the content type must be text/csv"))
		return
	}
	file, err := workingFile(a.tempDir(), r.Body)
	if err != nil {
		fail(w, r, err)
		return
	}
	if err := addCleanup(r.Context(), file); err != nil {
		fail(w, r, err)
		return
	}
	lines, err := readDelivery(file)
	if err != nil {
		fail(w, r, err) // the cleanup runs all the same
		return
	}
	if err := bgtasks.Add(r.Context(), "update stock", bgtasks.Bind(updateStock, stockDelivery{a.store, lines}), a.alarm("update stock")); err != nil {
		fail(w, r, err)
		return
	}
	render.Status(r, http.StatusAccepted)
	render.JSON(w, r, map[string]any{"lines": len(lines), "status": "processing"})
}

func (a *api) tempDir() string { return filepath.Join(a.dir, "temp") }

// workingFile keeps what body has, or nothing.
func workingFile(dir string, body io.Reader) (name string, err error) {
	f, err := os.CreateTemp(dir, "delivery-*.csv")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err == nil {
		return f.Name(), nil
	}
	_ = os.Remove(f.Name())
	if tooLarge(err) {
		err = problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
	}
	return "", err
}

// addCleanup adds the task that removes temporary files, or removes them at once where there
// can be no task.
func addCleanup(ctx context.Context, files ...string) error {
	err := bgtasks.Add(ctx, "remove temp files", bgtasks.Bind(removeFiles, files))
	if err != nil {
		_ = removeFiles(ctx, files)
	}
	return err
}

// removeFiles removes all that it can, and reports the rest. What is not there was never made: the
// handler has failed before.
func removeFiles(_ context.Context, files []string) error {
	var errs []error
	for _, file := range files {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// readDelivery is the main processing.
func readDelivery(file string) ([]Line, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records := csv.NewReader(f)
	records.FieldsPerRecord = 2
	var lines []Line
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, unprocessable("%v", err)
		}
		quantity, err := strconv.Atoi(record[1])
		if err != nil || quantity < 1 || quantity > maxQuantity {
			row, _ := records.FieldPos(1)
			return nil, unprocessable("line %d: not a quantity: %q", row, record[1])
		}
		if len(lines) == maxDelivery {
			return nil, unprocessable("a delivery has at most %d lines", maxDelivery)
		}
		lines = append(lines, Line{record[0], quantity})
	}
}

type stockDelivery struct {
	Store *Store
	Lines []Line
}

// updateStock can fail: an item may be unknown. Then nothing is put into stock.
func updateStock(ctx context.Context, in stockDelivery) error {
	return in.Store.tx(ctx, func(tx Tx) error {
		for _, line := range byItem(in.Lines) {
			n, err := tx.Exec(ctx, `UPDATE items SET stock = stock + $1 WHERE id = $2`, line.Quantity, line.ID)
			if err := orNone(n, err, &ItemError{line.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}

// alarm mails the keeper if the task fails or panics, which its log line says anyway.
func (a *api) alarm(task string) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			err := next(ctx)
			if err == nil {
				return nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout) // the task's own may be over
			defer cancel()
			return errors.Join(err, sendNotice(ctx, notice{
				Mailer:  a.mailer,
				Name:    noticeName(),
				To:      a.keeper,
				Subject: "Failed: " + task,
				Text:    err.Error() + "\n",
			}))
		}
	}
}
