package bgriver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// The program that is killed: this test binary once more, as a small shop. An order is stored with
// five steps as one unit in the same transaction; each step writes down that it runs, and the
// third does its work in the transaction that records it.

const stepsOfAnOrder = 5

// What the shop is run with. Attempts end, and units of killed processes are taken up, as
// soon as River allows.
const (
	childLease   = 10 * time.Second
	childTimeout = 5 * time.Second
	childRescue  = 6 * time.Second
)

func child(role string) {
	if err := runChild(role, os.Getenv("BGRIVER_URL")); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func runChild(role, url string) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() { // the parent closes our standard input to end us, and so does its own end
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	runner := bgtasks.New(bgtasks.Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	var handler http.Handler
	var err error
	if role == "SQLite" {
		handler, err = sqliteShop(ctx, url, runner)
	} else {
		handler, err = postgresShop(ctx, url, runner)
	}
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return chimw.Serve(ctx, &http.Server{Handler: handler}, ln, runner, 10*time.Second)
}

func sqliteShop(ctx context.Context, url string, runner *bgtasks.Runner) (http.Handler, error) {
	db, err := sql.Open("sqlite", url)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(sqliteConnections)
	s := &shop[*sql.Tx]{
		exec: func(ctx context.Context, tx *sql.Tx, query string) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		},
		inTx: func(ctx context.Context, fn func(*sql.Tx) error) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }()
			if err := fn(tx); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
	s.define()
	s.queue, err = bgriver.OpenSQLite(ctx, db, runner, s.config())
	return s.routes(runner), err
}

func postgresShop(ctx context.Context, url string, runner *bgtasks.Runner) (http.Handler, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	s := &shop[pgx.Tx]{
		exec: func(ctx context.Context, tx pgx.Tx, query string) error {
			_, err := tx.Exec(ctx, query)
			return err
		},
		inTx: func(ctx context.Context, fn func(pgx.Tx) error) error { return pgx.BeginFunc(ctx, pool, fn) },
	}
	s.define()
	s.queue, err = bgriver.OpenPostgres(ctx, pool, runner, s.config())
	return s.routes(runner), err
}

type shop[Tx any] struct {
	exec  func(ctx context.Context, tx Tx, query string) error
	inTx  func(ctx context.Context, fn func(Tx) error) error
	queue *bgriver.Queue[Tx]
	steps []*bgriver.Task[int]
}

func (s *shop[Tx]) define() {
	for i := 1; i <= stepsOfAnOrder; i++ {
		name := "step " + strconv.Itoa(i)
		if i == 3 {
			s.steps = append(s.steps, bgriver.DefineTx(name, func(ctx context.Context, tx Tx, order int) error {
				err := s.exec(ctx, tx, fmt.Sprintf("INSERT INTO reserved (ord) VALUES (%d)", order))
				return errors.Join(err, s.noteTx(ctx, tx, order, i))
			}))
			continue
		}
		s.steps = append(s.steps, bgriver.Define(name, func(ctx context.Context, order int) error {
			return s.note(ctx, order, i)
		}))
	}
}

func (s *shop[Tx]) config() bgriver.Config {
	cfg := bgriver.Config{Lease: childLease, River: river.Config{
		ID:            fmt.Sprint("shop-", os.Getpid()),
		FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		JobTimeout: childTimeout, RescueStuckJobsAfter: childRescue, RetryPolicy: atOnce{},
	}}
	for _, step := range s.steps {
		cfg.Tasks = append(cfg.Tasks, step)
	}
	return cfg
}

func (s *shop[Tx]) routes(runner *bgtasks.Runner) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/orders/{id}", s.order)
	return r
}

// note writes down that a step runs, and takes its time.
func (s *shop[Tx]) note(ctx context.Context, order, step int) error {
	err := s.inTx(ctx, func(tx Tx) error { return s.noteTx(ctx, tx, order, step) })
	<-time.After(rand.N(3 * time.Millisecond))
	return err
}

func (s *shop[Tx]) noteTx(ctx context.Context, tx Tx, order, step int) error {
	return s.exec(ctx, tx, fmt.Sprintf("INSERT INTO runs (ord, step) VALUES (%d, %d)", order, step))
}

func (s *shop[Tx]) order(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(chi.URLParam(r, "id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	err = s.inTx(r.Context(), func(tx Tx) error {
		if err := s.exec(r.Context(), tx, fmt.Sprintf("INSERT INTO orders (ord) VALUES (%d)", id)); err != nil {
			return err
		}
		var unit []bgriver.Step
		for _, step := range s.steps {
			unit = append(unit, step.With(id))
		}
		return s.queue.AddTx(r.Context(), tx, unit...)
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if r.URL.Query().Has("die") {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	w.WriteHeader(http.StatusCreated)
}
