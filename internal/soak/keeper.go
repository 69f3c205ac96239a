package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// What orders shows to those who run it.

const keeper = "soak:soak" // user and password

// ask asks for a page, as the keeper.
func (o *orders) ask(path string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+o.addr()+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth("soak", "soak")
	return o.web.Do(req)
}

// get asks for JSON.
func (o *orders) get(path string, v any) (status int, err error) {
	res, err := o.ask(path)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.StatusCode, nil
	}
	return res.StatusCode, json.NewDecoder(res.Body).Decode(v)
}

// pending is how many tasks have not ended, by its page for those who run it.
func (o *orders) pending() (int, error) {
	var page struct {
		Limits struct {
			Pending struct{ Used int } `json:"max_pending"`
		}
	}
	status, err := o.get("/debug/tasks", &page)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("/debug/tasks of orders: %d", status)
	}
	return page.Limits.Pending.Used, err
}

// goroutines are how many it has, by its metrics.
func (o *orders) goroutines() (int, error) {
	res, err := o.ask("/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	found := ofGoroutines.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("/metrics of orders: %s: no go_goroutines", res.Status)
	}
	return strconv.Atoi(string(found[1]))
}

var ofGoroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

// sample looks at its goroutines until it ends.
func (o *orders) sample(p *process) {
	for {
		n, _ := o.goroutines()
		o.report.mu.Lock()
		o.report.ordersGoroutines = max(o.report.ordersGoroutines, n)
		o.report.mu.Unlock()
		select {
		case <-p.exited:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// calmDown waits until there is nothing left to do, and the goroutines are as in the beginning.
func (o *orders) calmDown() {
	o.outside.rest() // it keeps connections to that, too
	var tasks, goroutines int
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		o.web.CloseIdleConnections() // each has a goroutine in the server
		if tasks, err = o.pending(); err != nil {
			continue
		}
		if goroutines, err = o.goroutines(); err == nil && tasks == 0 && goroutines <= o.before+5 {
			return
		}
	}
	o.report.breaks("orders: after 30 s of peace: %d tasks, %d goroutines (%d in the beginning), %v", tasks, goroutines, o.before, err)
}
