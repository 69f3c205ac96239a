package chimw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// memoryDB counts by name, with the transactions of a database.
type memoryDB struct {
	mu     sync.Mutex
	counts map[string]int
}

type memoryTx struct {
	db      *memoryDB
	changes map[string]int
}

func (db *memoryDB) begin() *memoryTx { return &memoryTx{db, map[string]int{}} }

func (tx *memoryTx) increment(name string) { tx.changes[name]++ }

func (tx *memoryTx) rollback() { tx.changes = nil }

func (tx *memoryTx) commit() error {
	if tx.changes == nil {
		return errors.New("the transaction is over")
	}
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	for name, n := range tx.changes {
		tx.db.counts[name] += n
	}
	tx.changes = nil
	return nil
}

// countLogin has a transaction of its own: the handler's is over by then.
func (db *memoryDB) countLogin(_ context.Context, user string) error {
	tx := db.begin()
	defer tx.rollback()
	tx.increment("logins of " + user)
	return tx.commit()
}

// withTx gives each request a transaction that ends with it.
func (db *memoryDB) withTx(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tx := db.begin()
		defer tx.rollback()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), txKey{}, tx)))
	})
}

type txKey struct{}

// A task must not use the request's transaction, which its context still carries.
func Example_database() {
	runner, db := bgtasks.New(bgtasks.Config{}), &memoryDB{counts: map[string]int{}}
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner), db.withTx)
	r.Post("/login/{user}", func(w http.ResponseWriter, r *http.Request) {
		tx := r.Context().Value(txKey{}).(*memoryTx)
		tx.increment("sessions")
		if err := tx.commit(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = bgtasks.Add(r.Context(), "count login", bgtasks.Bind(db.countLogin, chi.URLParam(r, "user")))
		render.JSON(w, r, map[string]string{"access_token": "t"})
	})

	for _, user := range []string{"ann", "ann", "bob"} {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/login/"+user, nil))
	}
	_ = runner.Wait(context.Background())
	fmt.Println(db.counts)
	// Output: map[logins of ann:2 logins of bob:1 sessions:3]
}
