package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// outside is the world that orders tells: a warehouse, by webhook, of orders and images, and a
// CRM, of customers. Both are out of order now and then.
type outside struct {
	report *report
	server *http.Server
	url    string

	mu      sync.Mutex
	told    map[string]int // by what it is, such as "order 7": how often
	refused map[string]bool
}

func startOutside(r *report) (*outside, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &outside{report: r, url: "http://" + ln.Addr().String(), told: make(map[string]int), refused: make(map[string]bool)}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /webhook", w.warehouse)
	routes.HandleFunc("PUT /crm/{id}", w.crm)
	w.server = &http.Server{Handler: routes}
	go func() { _ = w.server.Serve(ln) }()
	return w, nil
}

// warehouse refuses every seventh order's first telling, which is repeated.
func (o *outside) warehouse(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Order int64 `json:"order_id"`
		Image int64 `json:"image_id"`
	}
	if json.NewDecoder(r.Body).Decode(&event) != nil {
		return
	}
	what := fmt.Sprintf("order %d", event.Order)
	if event.Image != 0 {
		what = fmt.Sprintf("image %d", event.Image)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if event.Order%7 == 0 && event.Image == 0 && !o.refused[what] {
		o.refused[what] = true
		o.report.fault("webhook fails")
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	o.told[what]++
}

// crm refuses every seventh customer, and does not answer for those that hang.
func (o *outside) crm(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	o.mu.Lock()
	o.told["customer "+id]++
	o.mu.Unlock()
	switch {
	case strings.HasPrefix(id, "hang-"):
		_, _ = io.Copy(io.Discard, r.Body) // net/http does not notice before that its client has gone
		<-r.Context().Done()
	case crmRefuses(id):
		o.report.fault("CRM fails")
		w.WriteHeader(http.StatusBadGateway)
	}
}

func crmRefuses(customer string) bool {
	_, number, _ := strings.Cut(customer, "-")
	n, _ := strconv.Atoi(number)
	return n%7 == 0
}

// wasTold returns how often it was told of something.
func (o *outside) wasTold(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told[what]
}

// rest closes connections that nobody uses at the moment.
func (o *outside) rest() { o.server.SetKeepAlivesEnabled(false) }

func (o *outside) close() { _ = o.server.Close() }
