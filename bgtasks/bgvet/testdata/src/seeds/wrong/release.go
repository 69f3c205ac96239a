package wrong

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	tasks "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong31: category 6, easy.
// The file is closed when the handler returns, before the task reads it. (A small upload is in
// memory, where Close does nothing; a large one is a file.)
func (s *Server) Wrong31Upload(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("document")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer file.Close() // WRONG(6) in Wrong31
	if err := tasks.Add(r.Context(), "store", func(ctx context.Context) error {
		return s.blobs.Put(ctx, header.Filename, file) // ALSO(6) in Wrong31
	}); err != nil {
		busy(w)
		return
	}
	render.Status(r, http.StatusAccepted)
	render.JSON(w, r, map[string]string{"name": header.Filename})
}

type Shop struct {
	db *sql.DB
}

// Wrong32: category 6, easy.
// The transaction is rolled back before the task uses it.
func (sh *Shop) Wrong32Login(w http.ResponseWriter, r *http.Request) {
	user := chi.URLParam(r, "user")
	tx, err := sh.db.BeginTx(r.Context(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer tx.Rollback() // WRONG(6) in Wrong32
	if _, err := tx.ExecContext(r.Context(), `INSERT INTO sessions (name) VALUES (?)`, user); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := tasks.Add(r.Context(), "count login", func(ctx context.Context) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET logins = logins + 1 WHERE name = ?`, user); err != nil { // ALSO(6) in Wrong32
			return err
		}
		return tx.Commit()
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type backup struct {
	key  string
	from *os.File
}

func (s *Server) putBackup(ctx context.Context, b backup) error {
	if _, err := b.from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return s.blobs.Put(ctx, b.key, b.from)
}

// Wrong33: category 6, medium.
// Closed in a deferred closure, and given to the task in an argument of Bind.
func (s *Server) Wrong33Backup(w http.ResponseWriter, r *http.Request) {
	name := filepath.Base(chi.URLParam(r, "name"))
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { // WRONG(6) in Wrong33
		if err := f.Close(); err != nil { // ALSO(6) in Wrong33
			s.log.Warn("close", "file", name, "err", err)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := tasks.Add(r.Context(), "backup", tasks.Bind(s.putBackup, backup{key: name, from: f})); err != nil { // ALSO(6) in Wrong33
		busy(w)
		return
	}
	render.JSON(w, r, map[string]int64{"bytes": info.Size()})
}

type Bank struct {
	mu       sync.RWMutex
	accounts map[string]*Account
}

func (b *Bank) account(id string) *Account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accounts[id]
}

// Wrong34: category 6, medium.
// The lock on the account has been given back when the task changes it.
func (b *Bank) Wrong34Deposit(w http.ResponseWriter, r *http.Request) {
	acct := b.account(chi.URLParam(r, "account"))
	if acct == nil {
		http.NotFound(w, r)
		return
	}
	acct.Lock()
	defer acct.Unlock() // WRONG(6) in Wrong34
	acct.balance += 100
	balance := acct.balance
	if err := tasks.Add(r.Context(), "history", func(context.Context) error {
		acct.history = append(acct.history, fmt.Sprint("balance ", balance)) // ALSO(6) in Wrong34
		return nil
	}); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, map[string]int{"balance": balance})
}

type Bus interface {
	// Subscribe returns a channel that is closed by cancel.
	Subscribe(topic string) (messages <-chan []byte, cancel func())
}

type Orders struct {
	bus   Bus
	store *Store
}

// Wrong35: category 6, subtle.
// cancel closes the subscription that the task waits on: it gets nothing and fails.
func (o *Orders) Wrong35Submit(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	confirmations, cancel := o.bus.Subscribe("orders." + id)
	defer cancel() // WRONG(6) in Wrong35
	if err := o.store.SetStatus(r.Context(), id, "submitted"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	err := tasks.Add(r.Context(), "await confirmation", func(ctx context.Context) error {
		select {
		case msg, ok := <-confirmations: // ALSO(6) in Wrong35
			if !ok {
				return fmt.Errorf("order %s: no confirmation", id)
			}
			return o.store.SetStatus(ctx, id, string(msg))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Wrong36: category 6, subtle.
// The task reads from a decompressor, and that from the file which the handler closes. (The first
// 4 KiB are in its buffer.)
func (s *Server) Wrong36Restore(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open(filepath.Join(s.dir, filepath.Base(chi.URLParam(r, "name"))))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close() // WRONG(6) in Wrong36
	zr, err := gzip.NewReader(f)
	if err != nil {
		http.Error(w, "not a backup", http.StatusUnprocessableEntity)
		return
	}
	restore := func(ctx context.Context) error {
		for dec := json.NewDecoder(zr); dec.More(); { // ALSO(6) in Wrong36
			var o Order
			if err := dec.Decode(&o); err != nil {
				return err
			}
			if _, err := s.store.SaveOrder(ctx, o); err != nil {
				return err
			}
		}
		return nil
	}
	if err := tasks.Add(r.Context(), "restore", restore); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, map[string]string{"restoring": zr.Name})
}
