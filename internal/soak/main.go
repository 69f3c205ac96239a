package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A config says how long and how hard to attack.
type config struct {
	duration   time.Duration
	seed       uint64
	clients    int
	idle       int           // connections that do nothing
	life       time.Duration // of a process, on average
	grace      time.Duration
	maxPending int
	race       bool // in the processes
	dir        string
	root       string // of the repository
	log        func(format string, args ...any)
}

func defaults() config {
	return config{
		duration:   3 * time.Minute,
		seed:       1,
		clients:    100,
		idle:       300,
		life:       8 * time.Second,
		grace:      4 * time.Second,
		maxPending: 2000,
		root:       "../..",
		log:        func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}
}

func main() {
	cfg := defaults()
	flag.DurationVar(&cfg.duration, "duration", cfg.duration, "how long to attack")
	flag.Uint64Var(&cfg.seed, "seed", cfg.seed, "of what the clients choose; timing is not repeated")
	flag.IntVar(&cfg.clients, "clients", cfg.clients, "clients at once")
	flag.IntVar(&cfg.idle, "idle", cfg.idle, "connections besides, which say nothing or half of a request")
	flag.DurationVar(&cfg.life, "life", cfg.life, "how long a process lives until SIGTERM, on average")
	flag.BoolVar(&cfg.race, "race", false, "build the processes with the race detector")
	flag.StringVar(&cfg.dir, "dir", "", "`folder` for ledgers and logs (default a temporary one, which stays if a promise was broken)")
	flag.StringVar(&cfg.root, "root", cfg.root, "`folder` of the repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second one ends this at once
	report, err := soak(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	fmt.Print(report)
	if len(report.broken) > 0 {
		os.Exit(1)
	}
}
