package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// shutdown asks the app to end while an order is processed, sees it end well, starts it again,
// and reads in the order's record how its steps have gone on after the signal.
func (t *tour) shutdown() error {
	_, object, err := t.sendJSON("demo-last", "POST", "/orders", anOrder(), http.StatusCreated)
	if err != nil {
		return err
	}
	if _, err := t.stream.until(t.ctx, "demo-last", begun); err != nil {
		return err
	}
	signal := time.Now()
	t.line.client(signal, "(SIGTERM)")
	if err := t.app.terminate(); err != nil {
		return err
	}
	if err := t.app.ended(t.ctx); err != nil {
		return fmt.Errorf("the app has not ended well: %w\n%w", err, t.app.lastWords())
	}
	t.line.client(time.Now(), "(the app has ended, exit status 0)")
	t.line.task(time.Now(), "(counted: %d accepted, %d succeeded, %d failed or panicked, %d skipped)", t.app.counts["Accepted"],
		t.app.counts["Succeeded"], t.app.counts["Failed"]+t.app.counts["Panicked"], t.app.counts["Skipped"])
	if t.app.counts["Pending"] != 0 || t.app.counts["Accepted"] == 0 {
		t.wrong("tasks were lost: %v", t.app.counts)
	}

	if err := t.start(); err != nil {
		return err
	}
	last, err := t.send("", "GET", fmt.Sprintf("/orders/%v", object["order_id"]), nil)
	if err != nil {
		return err
	}
	if err := t.recorded(last, signal); err != nil {
		return err
	}
	if err := t.app.terminate(); err != nil {
		return err
	}
	return t.app.ended(t.ctx)
}

func begun(events []event) bool {
	for _, e := range events {
		if e.Kind == "started" {
			return true
		}
	}
	return false
}

// recorded checks that all steps have succeeded, the last of them after the signal.
func (t *tour) recorded(order answer, signal time.Time) error {
	var o struct {
		Steps []struct {
			Name, State, Error string
			EndedAt            time.Time `json:"ended_at"`
		}
	}
	if err := json.Unmarshal(order.body, &o); err != nil {
		return err
	}
	for _, step := range o.Steps {
		t.line.task(step.EndedAt, "%-20s %s, as recorded %s", step.Name, step.State, step.Error)
		if step.State != "succeeded" {
			t.wrong("%q of an order that was answered has %s", step.Name, step.State)
		}
	}
	if n := len(o.Steps); n != 5 || o.Steps[n-1].EndedAt.Before(signal) {
		t.wrong("the shutdown was not under way: %d steps, all over before it", n)
	}
	return nil
}
