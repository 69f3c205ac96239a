package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A receiver is a real HTTP server that a Webhook posts to.
type receiver struct {
	url string

	mu  sync.Mutex
	got []delivery
}

type delivery struct {
	method      string
	contentType string
	key         string
	body        []byte
}

// startReceiver answers the nth request (from 1) by answer; nil is 204.
func startReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := new(receiver)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := rec.take(r)
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(n, w, r)
	}))
	t.Cleanup(srv.Close)
	rec.url = srv.URL
	return rec
}

// statuses answers with one after the other, then with the last.
func statuses(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[min(n, len(codes))-1])
	}
}

// held answers when the returned channel is closed, or the client has gone.
func held() (answer func(int, http.ResponseWriter, *http.Request), hold chan struct{}) {
	hold = make(chan struct{})
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	}, hold
}

func (rec *receiver) take(r *http.Request) int {
	body, _ := io.ReadAll(r.Body) // to its end, so that a client that goes is noticed
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.got = append(rec.got, delivery{r.Method, r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), body})
	return len(rec.got)
}

func (rec *receiver) deliveries() []delivery {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]delivery(nil), rec.got...)
}

// keys are those that there were for each order.
func (rec *receiver) keys() map[int64]map[string]bool {
	keys := make(map[int64]map[string]bool)
	for _, d := range rec.deliveries() {
		id := d.order()
		if keys[id] == nil {
			keys[id] = map[string]bool{}
		}
		keys[id][d.key] = true
	}
	return keys
}

func (d delivery) order() int64 {
	var in struct {
		ID int64 `json:"order_id"`
	}
	_ = json.Unmarshal(d.body, &in)
	return in.ID
}

// orders counts the requests for each order.
func (rec *receiver) orders() map[int64]int {
	counts := make(map[int64]int)
	for _, d := range rec.deliveries() {
		counts[d.order()]++
	}
	return counts
}
