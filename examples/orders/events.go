package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// The stream of server-sent events at /events: everything that happens to tasks.

const (
	stillHere  = 15 * time.Second // between signs of life, by which a client that has gone is noticed
	eventWrite = 10 * time.Second // for writing one event
	maxReason  = 500              // bytes of an error
)

// shownEvent is the JSON of an event.
type shownEvent struct {
	Kind      string    `json:"kind"`
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id"`
	Method    string    `json:"method"`
	Route     string    `json:"route"`
	List      uint64    `json:"list"`
	Task      string    `json:"task"`
	Position  int       `json:"position"`
	Attempt   int       `json:"attempt"`
	Error     string    `json:"error,omitempty"`
	WaitMS    float64   `json:"wait_ms"`
	ElapsedMS float64   `json:"elapsed_ms"`
}

func (a *api) show(e taskEvent) shownEvent {
	shown := shownEvent{
		Kind:      e.Kind.String(),
		At:        e.At.UTC(),
		RequestID: e.Info.RequestID,
		Method:    e.Info.Method,
		Route:     e.Info.Route,
		List:      e.Info.ID,
		Task:      e.Info.Name,
		Position:  e.Info.Position,
		Attempt:   e.Info.Attempt,
		WaitMS:    milliseconds(e.Wait),
		ElapsedMS: milliseconds(e.Elapsed),
	}
	if a.durable != nil && slices.Contains(stepNames, e.Info.Name) {
		shown.List = 0 // each durable step has a list of its own: it is the request that they have in common
	}
	if e.Err != nil {
		shown.Error = cut(e.Err.Error(), maxReason)
	}
	return shown
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func (a *api) events(w http.ResponseWriter, r *http.Request) {
	events, stop, err := a.feed.watch()
	if err != nil {
		fail(w, r, problem(http.StatusServiceUnavailable, err.Error()))
		return
	}
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s := stream{w, http.NewResponseController(w)}
	if s.send(": watching\n\n") != nil {
		return
	}
	alive := time.NewTicker(stillHere)
	defer alive.Stop()
	for err == nil {
		select {
		case e, ok := <-events:
			if !ok {
				s.end(a.feed.over())
				return
			}
			err = s.event("task", a.show(e))
		case <-alive.C:
			err = s.send(": still here\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// A stream writes events, each within its time.
type stream struct {
	w  io.Writer
	to *http.ResponseController
}

func (s stream) send(text string) error {
	if err := s.to.SetWriteDeadline(time.Now().Add(eventWrite)); err != nil {
		return err
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.to.Flush()
}

// event sends v as JSON, which is one line.
func (s stream) event(kind string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf("event: %s\ndata: %s\n\n", kind, data))
}

// end says why there is no more. A client that was too slow comes again by itself.
func (s stream) end(shutdown bool) {
	if shutdown {
		_ = s.event("shutdown", struct{}{})
	}
}
