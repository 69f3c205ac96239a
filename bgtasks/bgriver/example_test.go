package bgriver_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

type Order struct{ Item, Email string }

// Two tasks, each defined once. The first does its work in the transaction that records it.
var (
	Reserve = bgriver.DefineTx("reserve", func(ctx context.Context, tx *sql.Tx, o Order) error {
		taken, err := tx.ExecContext(ctx, "UPDATE stock SET n = n - 1 WHERE item = ? AND n > 0", o.Item)
		if err != nil {
			return err
		}
		if n, err := taken.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, errors.New("out of stock: "+o.Item))
		}
		return nil
	})
	SendMail = bgriver.Define("send mail", func(_ context.Context, o Order) error {
		fmt.Println("mail to", o.Email)
		close(mailed)
		return nil
	}, bgtasks.Timeout(10*time.Second))

	mailed = make(chan struct{})
)

// An order and its steps are stored in one transaction, and the steps run when the answer has
// been sent.
func Example() {
	ctx := context.Background()
	db, done := shopDatabase(ctx)
	defer done()
	runner := bgtasks.New(bgtasks.Config{})
	queue, err := bgriver.OpenSQLite(ctx, db, runner, bgriver.Config{Tasks: []bgriver.Definition{Reserve, SendMail}})
	if err != nil {
		log.Fatal(err)
	}

	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/orders", func(w http.ResponseWriter, r *http.Request) {
		order := Order{"pen", "ann@example.com"}
		tx, err := db.BeginTx(r.Context(), nil)
		if err == nil {
			defer tx.Rollback()
			_, err = tx.ExecContext(r.Context(), "INSERT INTO orders (item) VALUES (?)", order.Item)
		}
		if err == nil {
			err = queue.AddTx(r.Context(), tx, Reserve.With(order), SendMail.With(order))
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	server := httptest.NewUnstartedServer(r)
	chimw.Attach(server.Config)
	server.Start()
	defer server.Close()

	res, err := http.Post(server.URL+"/orders", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	res.Body.Close()
	fmt.Println(res.Status)

	<-mailed
	var left int
	if err := db.QueryRow("SELECT n FROM stock").Scan(&left); err != nil {
		log.Fatal(err)
	}
	fmt.Println(left, "left in stock")
	if err := runner.Shutdown(ctx); err != nil { // chimw.ListenAndServe does this
		log.Fatal(err)
	}
	// Output:
	// 201 Created
	// mail to ann@example.com
	// 9 left in stock
}

// The same definition, in memory and durably: the calls differ in one word.
func ExampleAdd() {
	ctx, list := example.runner.Open(context.Background(), bgtasks.Info{}) // as the middleware does
	greet := example.greet
	if err := bgriver.Add(ctx, greet.With("in memory")); err != nil {
		log.Fatal(err)
	}
	list.Start(bgtasks.Outcome{Status: 200, Sent: true})
	if err := example.runner.Wait(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: hello, in memory
}

var example = struct {
	runner *bgtasks.Runner
	greet  *bgriver.Task[string]
}{
	bgtasks.New(bgtasks.Config{}),
	bgriver.Define("greet", func(_ context.Context, how string) error {
		fmt.Println("hello,", how)
		return nil
	}),
}

func shopDatabase(ctx context.Context) (*sql.DB, func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "shop.db")+sqliteOptions)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(4)
	if err := bgriver.MigrateSQLite(ctx, db); err != nil {
		log.Fatal(err)
	}
	for _, query := range []string{
		"CREATE TABLE orders (item text)",
		"CREATE TABLE stock (item text, n integer)",
		"INSERT INTO stock VALUES ('pen', 10)",
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			log.Fatal(err)
		}
	}
	return db, func() { db.Close(); os.RemoveAll(dir) }
}
