package main

import (
	"testing"
	"time"
)

// A soak of seconds, of which `make soak` is the long form.
func TestNoPromiseIsBrokenUnderFire(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, and takes seconds")
	}
	cfg := defaults()
	cfg.duration, cfg.life, cfg.grace = 8*time.Second, 3*time.Second, 2*time.Second
	cfg.clients, cfg.idle, cfg.maxPending = 30, 60, 800
	cfg.log = t.Logf
	report, err := soak(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report)
	for _, what := range report.broken {
		t.Error(what)
	}
	if f := report.ledger; f.acknowledged == 0 || f.runs == 0 || report.restarts == 0 || report.orders == 0 || f.inTime["HTTP/1.1"] == 0 || f.inTime["HTTP/2.0"] == 0 {
		t.Errorf("nothing was proven")
	}
}
