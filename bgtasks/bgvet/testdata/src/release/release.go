package release

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func closed(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		lines.Scan() // want `lines is released when the handler returns`
		_, err := io.ReadAll(f)
		return err
	})
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := f.Stat() // want `f is released when the handler returns \(f.Close\(\), on line 24\), before this task runs: release it in the task`
		return err
	})
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(read, f)) // want `f is released`
}

func read(ctx context.Context, f *os.File) error { return nil }

func rolledBack(w http.ResponseWriter, r *http.Request, db *sql.DB) {
	tx, err := db.BeginTx(r.Context(), nil)
	if err != nil {
		return
	}
	defer func() { _ = tx.Rollback() }()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := tx.ExecContext(ctx, "DELETE") // want `tx is released when the handler returns \(tx.Rollback\(\)`
		return err
	})
}

func cancelled(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = bgtasks.Add(r.Context(), "task", func(own context.Context) error {
		fmt.Println(ctx.Deadline()) // want `ctx is released when the handler returns \(cancel\(\)` `ctx knows neither`
		return nil
	})
}

func upload(w http.ResponseWriter, r *http.Request) {
	file, _, err := r.FormFile("image")
	if err != nil {
		return
	}
	defer func() {
		if err := file.Close(); err != nil {
			fmt.Println(err)
		}
	}()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := io.Copy(io.Discard, file) // want `file is released`
		return err
	})
}

func answer(w http.ResponseWriter, r *http.Request) {
	res, err := http.Get("http://example.com")
	if err != nil {
		return
	}
	defer res.Body.Close()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := io.Copy(io.Discard, res.Body) // want `res is released`
		return err
	})
}

var pool sync.Pool

func pooled(w http.ResponseWriter, r *http.Request) {
	buf := pool.Get().(*bytes.Buffer)
	defer pool.Put(buf)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(buf.String()) // want `buf is released when the handler returns \(pool.Put\(buf\)`
		return nil
	})
}

type counter struct {
	mu    sync.Mutex
	n     map[string]int
	label string
}

func (c *counter) handler(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[r.URL.Path]++
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(c.label, len(c.n)) // want `c.n is guarded by c.mu, which the handler unlocks when it returns`
		return nil
	})
}

func closedBeforeAReturn(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	defer func() {
		log := func(err error) { fmt.Println(err); return }
		if err := f.Close(); err == nil {
			return
		}
		log(err)
	}()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		return f.Sync() // want `f is released`
	})
}

type parser struct{ lines *bufio.Scanner }

func NewParser(r io.Reader) *parser { return &parser{bufio.NewScanner(r)} }

type importer struct {
	label  string
	source struct{ r io.Reader }
}

func NewImporter(f *os.File) (i importer, err error) {
	i.source.r = f
	return i, nil
}

func importAll(ctx context.Context, i importer) error { return nil }

type lister interface{ list() []string }

func NewLister(tx *sql.Tx) (lister, error) { return nil, nil }

// What a constructor of any package was handed may be in what it returns.
func builtAround(w http.ResponseWriter, r *http.Request, db *sql.DB) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	defer f.Close()
	tx, err := db.BeginTx(r.Context(), nil)
	if err != nil {
		return
	}
	defer tx.Rollback()
	p := NewParser(f)
	i, _ := NewImporter(f)
	l, _ := NewLister(tx)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		p.lines.Scan()        // want `p is released`
		fmt.Println(l.list()) // want `l is released`
		return nil
	})
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(importAll, i)) // want `i is released`
}

// Near misses.

func (c *counter) locksAgain(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[r.URL.Path]++
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n["x"]++
		return nil
	})
}

func closedByTheTask(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	if err := bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		defer f.Close()
		_, err := io.ReadAll(f)
		return err
	}); err != nil {
		f.Close()
	}
}

func onlyItsName(w http.ResponseWriter, r *http.Request) {
	f, err := os.CreateTemp("", "")
	if err != nil {
		return
	}
	defer f.Close()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error { return os.Remove(f.Name()) })
}

func onlyTheStatus(w http.ResponseWriter, r *http.Request) {
	res, err := http.Get("http://example.com")
	if err != nil {
		return
	}
	defer res.Body.Close()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(res.StatusCode)
		return nil
	})
}

func ifItFails(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	err = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error { return f.Close() })
}

func somethingElse(w http.ResponseWriter, r *http.Request, db *sql.DB) {
	rows, err := db.QueryContext(r.Context(), "SELECT")
	if err != nil {
		return
	}
	defer rows.Close()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		rows, err := db.QueryContext(ctx, "SELECT")
		if err != nil {
			return err
		}
		return rows.Close()
	})
}

func TestThatWaits(t *testing.T) {
	f, _ := os.Open("x")
	defer f.Close()
	_ = bgtasks.Add(t.Context(), "task", func(ctx context.Context) error { return f.Sync() })
}

func NewNumber(ctx context.Context, tx *sql.Tx) (string, error) { return "", nil }

type order struct {
	number  string
	created time.Time
	parent  *order
}

func NewOrder(tx *sql.Tx) (*order, error) { return nil, nil }

// What a function has made from something released is not always built around it.
func newFromIt(w http.ResponseWriter, r *http.Request, db *sql.DB) {
	tx, err := db.BeginTx(r.Context(), nil)
	if err != nil {
		return
	}
	defer tx.Rollback()
	number, err := NewNumber(r.Context(), tx)
	if err != nil {
		return
	}
	order, err := NewOrder(tx)
	if err != nil || tx.Commit() != nil {
		return
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(number, order.created, order.parent)
		return nil
	})
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(mail, order))
}

func mail(ctx context.Context, o *order) error { return nil }

func NewSum(r io.Reader) (string, error) { return "", nil }

func summed(w http.ResponseWriter, r *http.Request) {
	defer r.Body.Close()
	sum, err := NewSum(r.Body)
	if err != nil {
		return
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(sum)
		return nil
	})
}

func unlessHandedOn(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open("x")
	if err != nil {
		return
	}
	handed := false
	defer func() {
		if handed {
			return
		}
		f.Close()
	}()
	handed = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		defer f.Close()
		_, err := io.Copy(io.Discard, f)
		return err
	}) == nil
}
