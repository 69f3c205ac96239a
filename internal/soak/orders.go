package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// orders is the order app under attack: its database is its ledger, which outlives its
// processes, and the warehouse that it tells of orders is here.
type orders struct {
	*run
	file    string
	process *process
	life    int
	web     *http.Client
	hook    *http.Server
	hookURL string

	mu       sync.Mutex
	acked    []acked
	told     map[int64]int // by order: how often the warehouse was
	unended  map[int]int   // by life: tasks named as unfinished
	requests int
}

type acked struct {
	id   int64
	life int
}

func newOrders(s *run, file string) (*orders, error) {
	o := &orders{run: s, file: file, told: map[int64]int{}, unended: map[int]int{}, life: -1,
		web: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 20}}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.hookURL = "http://" + ln.Addr().String()
	o.hook = &http.Server{Handler: http.HandlerFunc(o.warehouse)}
	go func() { _ = o.hook.Serve(ln) }()
	return o, nil
}

func (o *orders) close() { _ = o.hook.Close() }

// warehouse is out of order at every seventh order's first telling.
func (o *orders) warehouse(w http.ResponseWriter, r *http.Request) {
	var order struct {
		ID int64 `json:"order_id"`
	}
	if json.NewDecoder(r.Body).Decode(&order) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if order.ID%7 == 0 && o.told[-order.ID] == 0 {
		o.told[-order.ID] = 1
		o.report.fault("webhook fails")
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	o.told[order.ID]++
}

func (o *orders) start() (err error) {
	next := o.life + 1
	p, out, err := start(o.file, filepath.Join(o.dir, fmt.Sprintf("orders-%d.log", next)), nil, "-addr", "127.0.0.1:0", "-dir", filepath.Join(o.dir, "shop"),
		"-faults", "-webhook", o.hookURL, "-webhook-timeout", "1m", "-grace", o.grace.String(), "-log", "json")
	if err != nil {
		return err
	}
	for i := 0; i < 2; i++ { // the second line has the address
		line, err := out.ReadString('\n')
		if found := regexp.MustCompile(`http://([0-9.:]+)`).FindStringSubmatch(line); found != nil {
			p.plain = found[1]
			break
		}
		if err != nil {
			p.wait()
			p.kill()
			return fmt.Errorf("orders did not start: %s", p.stderr())
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out) // to its end, before Wait
		p.wait()
	}()
	o.mu.Lock()
	o.process, o.life = p, next
	o.mu.Unlock()
	return nil
}

var stepFaults = []string{"", "", "", "validate order=fail", "update inventory=panic", "send confirmation=panic",
	"notify fulfilment=fail", "update inventory=fail,send confirmation=fail"}

// order sends an order, of which one step may be asked to fail.
func (c *client) order() { c.orders.order(stepFaults[c.random.IntN(len(stepFaults))]) }

func (o *orders) order(fault string) {
	o.mu.Lock()
	addr, life := o.process.plain, o.life
	o.requests++
	n := o.requests
	o.mu.Unlock()
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/orders", strings.NewReader(
		`{"customer_id": "c-`+strconv.Itoa(n)+`", "email": "you@example.com", "items": [{"id": "apple", "quantity": 1}]}`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if fault != "" {
		o.report.fault("step of an order fails")
		req.Header.Set("X-Fault", fault)
	}
	res, err := o.web.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	var answer struct {
		ID int64 `json:"order_id"`
	}
	if res.StatusCode != http.StatusCreated || json.NewDecoder(res.Body).Decode(&answer) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = append(o.acked, acked{answer.ID, life})
}

// hang orders something whose delivery only the shutdown's deadline ends.
func (o *orders) hang(life int) {
	if life%2 == 0 {
		o.report.fault("step of an order hangs")
		o.order("notify fulfilment=hang")
	}
}

var unfinished = regexp.MustCompile(`bgtasks: shutdown: (\d+) unfinished`)

// terminate sends SIGTERM, and notes how many tasks the process names at its end.
func (o *orders) terminate(last bool) {
	o.report.mu.Lock()
	o.report.ordersRSS = max(o.report.ordersRSS, o.process.memory())
	o.report.mu.Unlock()
	if last && !o.calm() {
		o.report.breaks("orders: steps are left after 30 s of peace")
	}
	took, err := o.process.terminate(o.grace + time.Second + shutdownSlack)
	o.report.shutdown(took)
	log, _ := os.ReadFile(o.process.log)
	if err != nil {
		o.report.breaks("orders: %v after %s: %s", err, took, o.process.stderr())
	}
	if bytes.Contains(log, []byte("DATA RACE")) {
		o.report.breaks("orders: a data race: see %s", o.process.log)
	}
	if found := unfinished.FindSubmatch(log); found != nil {
		n, _ := strconv.Atoi(string(found[1]))
		o.unended[o.life] = n
		o.report.named += n
		if last {
			o.report.breaks("orders: unfinished tasks without need: %s", o.process.stderr())
		}
	}
}

// calm waits until the last order's steps have ended.
func (o *orders) calm() bool {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		left := 0
		for _, a := range o.acked {
			if a.life == o.life {
				if order, err := o.read(a.id); err != nil || !order.ended() {
					left++
				}
			}
		}
		if left == 0 {
			return true
		}
	}
	return false
}

type order struct {
	Steps []struct {
		Name, State string
		Attempt     int
		StartedAt   *time.Time `json:"started_at"`
		EndedAt     *time.Time `json:"ended_at"`
	}
}

func (o order) ended() bool {
	return len(o.Steps) == 5 && o.Steps[4].EndedAt != nil
}

func (o *orders) read(id int64) (order order, err error) {
	res, err := o.web.Get("http://" + o.process.plain + "/orders/" + strconv.FormatInt(id, 10))
	if err != nil {
		return order, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return order, fmt.Errorf("order %d: %s", id, res.Status)
	}
	return order, json.NewDecoder(res.Body).Decode(&order)
}

// compare asks a new process for each acknowledged order: its five steps must have ended, in
// order, or be named by the process that took it.
func (o *orders) compare() error {
	if err := o.start(); err != nil {
		return err
	}
	defer o.process.kill()
	open := make(map[int]int) // by life: orders whose last step has not ended
	for _, a := range o.acked {
		order, err := o.read(a.id)
		if err != nil {
			o.report.ledger.lost++
			o.report.breaks("lost: %v", err)
			continue
		}
		o.report.orders++
		o.checkSteps(a.id, order)
		if !order.ended() {
			open[a.life]++
		}
	}
	for life, n := range open {
		if n > o.unended[life] {
			o.report.ledger.lost += n - o.unended[life]
			o.report.breaks("lost: orders, life %d: %d have not ended, %d tasks are named", life, n, o.unended[life])
		}
	}
	for id, n := range o.told {
		if n > 1 {
			o.report.ledger.doubled++
			o.report.breaks("doubled: the warehouse was told %d times of order %d", n, id)
		}
	}
	return nil
}

func (o *orders) checkSteps(id int64, order order) {
	var before time.Time
	for _, step := range order.Steps {
		if step.EndedAt == nil || step.StartedAt == nil {
			continue // skipped, or never begun
		}
		o.report.steps++
		if step.Attempt > 1 && step.Name != "notify fulfilment" {
			o.report.ledger.doubled++
			o.report.breaks("doubled: order %d: %+v", id, step)
		}
		if step.StartedAt.Before(before) {
			o.report.ledger.disordered++
			o.report.breaks("out of order: order %d: %+v", id, order.Steps)
		}
		before = *step.EndedAt
	}
}
