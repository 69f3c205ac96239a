package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A tour goes from station to station. What is not as it should be is noted, and the tour goes on.
type tour struct {
	ctx      context.Context
	out      io.Writer
	binary   string
	dir      string
	settings []string
	app      *app
	stream   *stream
	line     timeline
	failures []error
}

func newTour(ctx context.Context, out io.Writer, binary, dir string, settings []string) (*tour, error) {
	t := &tour{ctx: ctx, out: out, binary: binary, dir: dir, settings: settings, line: timeline{began: time.Now()}}
	return t, t.start()
}

// start starts the app, for the first time or again.
func (t *tour) start() (err error) {
	if t.app, err = startApp(t.ctx, t.binary, t.dir, t.settings); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "the app listens on", t.app.url)
	if t.stream, err = follow(t.ctx, t.app.url); err != nil {
		t.app.kill()
	}
	return err
}

func (t *tour) take() error {
	fmt.Fprintln(t.out, "a task starts when its response has been handed to the operating system, from where the client reads it")
	for _, station := range []struct {
		title string
		visit func() error
	}{
		{"An order: answered at once, then its steps", t.order},
		{"An order with a step that fails: what needs it is skipped, the rest is not", t.failingOrder},
		{"An upload: answered at once, then logged, shrunk and announced", t.upload},
		{"A report: a status to ask for, a file when it is completed", t.report},
		{"A login: statistics and audit, each in its own transaction", t.login},
		{"A shutdown under way: the order that was answered is processed to its end", t.shutdown},
	} {
		err := station.visit()
		t.line.print(t.out, station.title)
		if err != nil {
			t.wrong("%s: %w", station.title, err)
		}
		if t.ctx.Err() != nil {
			break
		}
	}
	if len(t.failures) == 0 {
		fmt.Fprintln(t.out, "\nAll is as it should be.")
	}
	return errors.Join(t.failures...)
}

// wrong notes what is not as it should be.
func (t *tour) wrong(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	fmt.Fprintln(t.out, "           NOT AS IT SHOULD BE:", err)
	t.failures = append(t.failures, err)
}

// An answer as the client has read it, to its end.
type answer struct {
	at     time.Time
	status int
	body   []byte
}

// send sends a request; its ID is what its tasks are found by.
func (t *tour) send(id, method, path string, body []byte, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(t.ctx, method, t.app.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Request-Id", id)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	t.line.client(time.Now(), "%s %s", method, path)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	got := answer{time.Now(), res.StatusCode, data}
	t.line.client(got.at, "%s", res.Status)
	return got, err
}

// sendJSON sends v, and reads the answer into an object if it has the wanted status.
func (t *tour) sendJSON(id, method, path string, v any, status int, headers ...string) (got answer, object map[string]any, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return got, nil, err
	}
	got, err = t.send(id, method, path, body, append(headers, "Content-Type", "application/json")...)
	if err == nil {
		object, err = got.object(status)
	}
	return got, object, err
}

func (a answer) object(status int) (object map[string]any, err error) {
	if a.status != status {
		return nil, fmt.Errorf("answered %d, not %d: %s", a.status, status, a.body)
	}
	return object, json.Unmarshal(a.body, &object)
}

// tasks waits until the tasks of a request have ended, and checks how: want has the state of
// each, in order. None may have ended before the client had its answer.
func (t *tour) tasks(id string, after answer, want ...string) error {
	events, err := t.stream.until(t.ctx, id, func(events []event) bool {
		n := 0
		for _, e := range events {
			if e.last() {
				n++
			}
		}
		return n == len(want)
	})
	t.show(events)
	if err != nil {
		return err
	}
	var ended []string
	for _, e := range events {
		if !e.last() {
			continue
		}
		ended = append(ended, e.Task+" "+e.state())
		if e.At.Before(after.at) {
			t.wrong("%q has ended before its response was received", e.Task)
		}
	}
	if !slices.Equal(ended, want) {
		t.wrong("the tasks have ended as %q, not as %q", ended, want)
	}
	return nil
}

func (e event) state() string {
	switch {
	case e.Kind == "finished" && e.Error == "":
		return "succeeded"
	case e.Kind == "finished":
		return "failed"
	}
	return e.Kind
}

func (t *tour) show(events []event) {
	for _, e := range events {
		switch {
		case e.Kind == "accepted":
		case e.Kind == "finished":
			t.line.task(e.At, "%-20s %s after %.1f ms %s", e.Task, e.state(), e.ElapsedMS, e.Error)
		default:
			t.line.task(e.At, "%-20s %s %s", e.Task, e.Kind, e.Error)
		}
	}
}

// leftovers are the app's temporary files.
func (t *tour) leftovers() []string {
	uploads, _ := filepath.Glob(filepath.Join(t.dir, "multipart-*"))
	temps, _ := filepath.Glob(filepath.Join(t.dir, "temp", "*"))
	return append(uploads, temps...)
}

func contains(data []byte, text string) bool { return strings.Contains(string(data), text) }
