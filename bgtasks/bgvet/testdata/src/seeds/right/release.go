package right

import (
	"bufio"
	"context"
	"database/sql"
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

type Shop struct {
	db    *sql.DB
	store *Store
}

// Right31: near category 6, easy.
// The rows are closed; the task uses what has been read from them.
func (sh *Shop) Right31Remind(w http.ResponseWriter, r *http.Request) {
	rows, err := sh.db.QueryContext(r.Context(), `SELECT email FROM orders WHERE status = 'unpaid'`)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer rows.Close()
	var emails []string
	for rows.Next() {
		var email string
		if err := rows.Scan(&email); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		emails = append(emails, email)
	}
	if err := rows.Err(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := tasks.Add(r.Context(), "remind", func(ctx context.Context) error {
		for _, email := range emails {
			if err := sh.store.Audit(ctx, "remind "+email); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, map[string]int{"reminded": len(emails)})
}

// Right32: near category 6, medium.
// The task has a transaction of its own, of the same name; its deferred Rollback is its own too.
func (sh *Shop) Right32Login(w http.ResponseWriter, r *http.Request) {
	user := chi.URLParam(r, "user")
	tx, err := sh.db.BeginTx(r.Context(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(r.Context(), `INSERT INTO sessions (name) VALUES (?)`, user); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := tx.Commit(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := tasks.Add(r.Context(), "count login", func(ctx context.Context) error {
		tx, err := sh.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, `UPDATE users SET logins = logins + 1 WHERE name = ?`, user); err != nil {
			return err
		}
		return tx.Commit()
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Right33: near category 6, easy.
// The file that the handler opens is closed by the task; the one that the handler closes is
// used by the handler only.
func (s *Server) Right33Compare(w http.ResponseWriter, r *http.Request) {
	list, err := os.Open(filepath.Join(s.dir, "known"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer list.Close()
	known := map[string]bool{}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		known[lines.Text()] = true
	}
	name := filepath.Base(chi.URLParam(r, "name"))
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil || known[name] {
		if err == nil {
			f.Close()
		}
		http.NotFound(w, r)
		return
	}
	if err := tasks.Add(r.Context(), "put", func(ctx context.Context) error {
		defer f.Close()
		return s.blobs.Put(ctx, name, f)
	}); err != nil {
		f.Close()
		busy(w)
		return
	}
	render.JSON(w, r, map[string]int{"known": len(known)})
}

// Right34: near category 6, subtle.
// The deferred Close is for the ways on which the task does not get the file.
func (s *Server) Right34Scan(w http.ResponseWriter, r *http.Request) {
	f, err := os.CreateTemp("", "scan-*")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	handedOver := false
	defer func() {
		if !handedOver {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := io.Copy(f, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := tasks.Add(r.Context(), "scan", func(ctx context.Context) error {
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return s.blobs.Put(ctx, "scans/"+filepath.Base(f.Name()), f)
	}); err != nil {
		busy(w)
		return
	}
	handedOver = true
	w.WriteHeader(http.StatusAccepted)
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

// Right35: near category 6, subtle.
// The task takes the lock itself, when the handler has given it back.
func (b *Bank) Right35Deposit(w http.ResponseWriter, r *http.Request) {
	acct := b.account(chi.URLParam(r, "account"))
	if acct == nil {
		http.NotFound(w, r)
		return
	}
	acct.Lock()
	defer acct.Unlock()
	acct.balance += 100
	balance := acct.balance
	if err := tasks.Add(r.Context(), "history", func(context.Context) error {
		acct.Lock()
		defer acct.Unlock()
		acct.history = append(acct.history, fmt.Sprint("balance ", balance))
		return nil
	}); err != nil {
		busy(w)
		return
	}
	render.JSON(w, r, map[string]int{"balance": balance})
}

// Right36: near category 6, subtle.
// The task needs the name of the file, which a closed one has as well, and opens it by that.
func (s *Server) Right36Transcode(w http.ResponseWriter, r *http.Request) {
	tmp, err := os.CreateTemp("", "video-*")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer tmp.Close()
	if _, err := io.Copy(tmp, r.Body); err != nil {
		os.Remove(tmp.Name())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := tasks.Add(r.Context(), "transcode", func(ctx context.Context) error {
		defer os.Remove(tmp.Name())
		video, err := os.Open(tmp.Name())
		if err != nil {
			return err
		}
		defer video.Close()
		return s.blobs.Put(ctx, "videos/"+filepath.Base(tmp.Name()), video)
	}); err != nil {
		os.Remove(tmp.Name())
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
