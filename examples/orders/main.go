// Command orders is a small shop: it takes orders, answers at once, and processes each in
// the background, in five steps, on a SQLite database.
//
// It is an example of package bgtasks to copy from: tasks.go has the tasks, workflow.go
// puts them on a request's list, durable_steps.go puts the same into the database, router.go
// shows where the middleware goes, main.go how a program starts and ends.
//
// Beside the orders there are shorter examples, each in a file that can be read by itself:
//
//	items.go      write a log line, send a mail
//	images.go     process an upload
//	imports.go    clean up, also after a handler that fails
//	export.go     remove temporary files once they have been sent
//	customers.go  tell an external service, and record whether it went well
//	reports.go    generate a file, with a status to ask for
//	accounts.go   write to the database, each task in its own transaction
//
// The page at / shows it all: feed.go and events.go pass on to it what the runner observes.
// metrics.go has it counted for Prometheus. With -demo there is something to see.
//
// With -durable the steps of an order are stored with it, in one transaction, and are done in the
// end whatever becomes of the program: kill it and start it again. -database has it all on
// Postgres, where several programs share the work, and -riverui shows what is stored:
//
//	orders -demo -durable -riverui -dir shop
//	orders -durable -dir shop -database postgres://localhost/shop -addr :8081
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

func main() {
	cfg, err := parseConfig(os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err == nil:
		err = run(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

func run(cfg *config) (err error) {
	log := newLogger(os.Stderr, cfg.logFormat)
	slog.SetDefault(log)
	dir, done, err := folder(cfg.dir)
	if err != nil {
		return err
	}
	defer done()
	if cfg.forgets() {
		log.Warn("orders: -durable without -dir or -database: what is stored is in a temporary folder, which is removed at the end")
	}

	store, err := openStore(context.Background(), cfg, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }() // after the tasks
	mailer, err := newMailer(cfg, dir)
	if err != nil {
		return err
	}
	if cfg.demo {
		world, err := startOutside()
		if err != nil {
			return err
		}
		defer world.close() // after the tasks
		world.use(cfg)
	}
	a, err := newAPI(cfg, dir, store, mailer, newFeed())
	if err != nil {
		return err
	}
	return serve(cfg, a, log)
}

func openStore(ctx context.Context, cfg *config, dir string) (*Store, error) {
	file := filepath.Join(dir, "orders.db")
	switch {
	case cfg.database != "":
		return OpenPostgres(ctx, cfg.database)
	case cfg.durable:
		return OpenDurable(ctx, file)
	}
	return OpenStore(ctx, file)
}

// serve returns when a signal has come, and after it all requests and tasks have ended or had
// their time.
func serve(cfg *config, a *api, log *slog.Logger) error {
	runner := newRunner(cfg, log, a.feed)
	ctx := untilSignal(runner, cfg.durable)
	debug, err := newDebug(cfg, runner)
	if err != nil {
		return err
	}
	a.debug = debug
	ln, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	if err := a.openDurable(ctx, cfg, runner, ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := newServer(newRouter(a, runner, log), log)
	srv.RegisterOnShutdown(a.feed.close)
	announce(log, ln.Addr(), a.dir)
	err = chimw.Serve(ctx, srv, ln, runner, cfg.grace)
	log.Info("stopped", "tasks", runner.Stats())
	return err
}

func newRunner(cfg *config, log *slog.Logger, feed *feed) *bgtasks.Runner {
	runner := bgtasks.New(bgtasks.Config{
		Logger:      log,
		MaxPending:  cfg.maxPending,
		MaxRunning:  cfg.maxRunning,
		TaskTimeout: cfg.taskTimeout,
	})
	runner.Observe(feed.publish)
	if cfg.pace > 0 {
		runner.Use(pace(cfg.pace))
	}
	return runner
}

// newServer limits every phase of a connection: net/http by itself waits for ever for a client
// that sends half a request, or does not read. The response has somewhat more time than its
// request (see newRouter).
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10, // what a task may keep of its request, beside the order
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// private is the mode of folders: orders have people's addresses in them.
const private = 0o700

// folder returns the folder to work in, which is removed at the end if it is a temporary one.
func folder(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, private)
	}
	dir, err := os.MkdirTemp("", "orders-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

func newMailer(cfg *config, dir string) (Mailer, error) {
	if cfg.smtp != "" {
		return SMTP{Addr: cfg.smtp, From: cfg.mailFrom}, nil
	}
	outbox := Outbox{Dir: filepath.Join(dir, "outbox"), From: cfg.mailFrom}
	return outbox, os.MkdirAll(outbox.Dir, private)
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the
// program at once, saying what is lost.
func untilSignal(runner *bgtasks.Runner, durable bool) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		slog.Info("shutting down: requests, then tasks; once more to end at once", "signal", (<-signals).String())
		stop()
		<-signals
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if err := runner.Shutdown(now); err != nil {
			fmt.Fprintln(os.Stderr, "orders: ended at once;", lost(durable), err)
		} else {
			fmt.Fprintln(os.Stderr, "orders: ended at once; no task is lost")
		}
		os.Exit(1)
	}()
	return ctx
}

func lost(durable bool) string {
	if durable {
		return "lost, except for the steps of orders, which go on when the program is started again:"
	}
	return "lost:"
}

func announce(log *slog.Logger, addr net.Addr, dir string) {
	log.Info("taking orders", "addr", addr.String(), "dir", dir)
	fmt.Printf(`open http://%[1]s in a browser, or try it here:
  curl -i http://%[1]s/orders -H 'Content-Type: application/json' -d '{"customer_id": "c-1", "email": "you@example.com", "items": [{"id": "apple", "quantity": 2}]}'
  curl http://%[1]s/orders/1
`, addr)
}
