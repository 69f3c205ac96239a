// Command demo starts the order app on a free port, takes a tour of it by itself, and prints
// what the client saw beside what the tasks did. It ends with an error if anything is not as
// it should be.
//
//	go run ./demo              build the app, and go
//	go run ./demo -- -pace 1s  the same, with other settings of the app
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	flag.Usage = func() { fmt.Fprintln(flag.CommandLine.Output(), "usage: demo [-- settings of the app]") }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// limit is for the whole tour, which takes some ten seconds.
const limit = 3 * time.Minute

func run(ctx context.Context, out io.Writer, settings []string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "orders-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "orders")
	fmt.Fprintln(out, "building the app")
	if err := build(ctx, binary); err != nil {
		return err
	}
	return visit(ctx, out, binary, dir, settings)
}

// visit takes the tour, of an app that works in dir.
func visit(ctx context.Context, out io.Writer, binary, dir string, settings []string) error {
	t, err := newTour(ctx, out, binary, dir, settings)
	if err != nil {
		return err
	}
	defer func() { t.app.kill() }()
	return t.take()
}
