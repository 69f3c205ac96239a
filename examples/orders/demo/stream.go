package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An event is one of the app's stream.
type event struct {
	Kind      string    `json:"kind"`
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id"`
	Task      string    `json:"task"`
	Position  int       `json:"position"`
	Error     string    `json:"error"`
	ElapsedMS float64   `json:"elapsed_ms"`
}

// last reports the last event of a task.
func (e event) last() bool {
	switch e.Kind {
	case "accepted", "started", "retried":
		return false
	}
	return true
}

// A stream keeps what the app tells of its tasks.
type stream struct {
	mu     sync.Mutex
	events []event
	more   chan struct{} // closed, and made anew, when there is more
}

// follow returns when the app has said that the stream has begun.
func follow(ctx context.Context, url string) (*stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	in := bufio.NewScanner(res.Body)
	if !in.Scan() || in.Text() != ": watching" {
		_ = res.Body.Close()
		return nil, fmt.Errorf("no stream of events: %s", res.Status)
	}
	s := &stream{more: make(chan struct{})}
	go func() {
		defer res.Body.Close()
		for in.Scan() {
			s.take(in.Text())
		}
	}()
	return s, nil
}

func (s *stream) take(line string) {
	data, ok := strings.CutPrefix(line, "data: ")
	var e event
	if !ok || json.Unmarshal([]byte(data), &e) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	close(s.more)
	s.more = make(chan struct{})
}

// of returns the events of a request, and what is closed when there is more.
func (s *stream) of(requestID string) (found []event, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.RequestID == requestID {
			found = append(found, e)
		}
	}
	return found, s.more
}

// until waits for the events of a request to be as wanted.
func (s *stream) until(ctx context.Context, requestID string, wanted func([]event) bool) ([]event, error) {
	for {
		found, more := s.of(requestID)
		if wanted(found) {
			return found, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return found, fmt.Errorf("waited in vain for tasks of %s", requestID)
		}
	}
}
