package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// orders is the order app under attack: its database and its folders are its ledger, which
// outlive its processes, and the world that it tells is here.
type orders struct {
	*run
	file    string
	outside *outside
	web     *http.Client
	process *process
	before  int // its goroutines in the beginning
	life    int

	mu      sync.Mutex
	counts  map[string]int    // of requests, by kind
	sent    map[string]*asked // by ID
	named   map[string]bool   // IDs of requests of which a process has named a task as unfinished
	unnamed map[int]int       // by life: tasks that it has only counted, for its error names ten
	excused map[int]int       // by life: what has not ended and may be among those
}

func newOrders(s *run, file string) (*orders, error) {
	world, err := startOutside(s.report)
	return &orders{run: s, file: file, outside: world, life: -1,
		web:    &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 20}},
		counts: make(map[string]int), sent: make(map[string]*asked), named: make(map[string]bool), unnamed: make(map[int]int), excused: make(map[int]int)}, err
}

func (o *orders) close() {
	o.web.CloseIdleConnections()
	o.outside.close()
}

// shop is a file in the folder that it works in.
func (o *orders) shop(elements ...string) string {
	return filepath.Join(append([]string{o.dir, "shop"}, elements...)...)
}

func (o *orders) start() (err error) {
	next := o.life + 1
	p, out, err := o.spawn(o.file, filepath.Join(o.dir, fmt.Sprintf("orders-%d.log", next)), []string{"TMPDIR=" + o.shopTemp(), "ORDERS_DEBUG=" + keeper},
		"-addr", "127.0.0.1:0", "-dir", o.shop(), "-faults", "-metrics", "-webhook", o.outside.url+"/webhook", "-webhook-timeout", "1m",
		"-crm", o.outside.url+"/crm", "-crm-timeout", "1m", "-grace", o.grace.String(), "-log", "json")
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
	_, err = o.pending()
	return err
}

// addr is where the process of the day listens.
func (o *orders) addr() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.process.plain
}

// isEnding reports whether the process of the day has been told to.
func (o *orders) isEnding() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.process.terminated.Load()
}

var (
	unfinished = regexp.MustCompile(`bgtasks: shutdown: (\d+) unfinished: .*`)
	ofRequest  = regexp.MustCompile(`" of request "([^"]+)"`)
)

// terminate sends SIGTERM, and notes which tasks the process names at its end.
func (o *orders) terminate(last bool) {
	o.report.mu.Lock()
	o.report.ordersRSS = max(o.report.ordersRSS, o.process.memory())
	o.report.mu.Unlock()
	if last {
		o.calmDown()
	}
	took, err := o.process.terminate(o.grace + time.Second + shutdownSlack)
	o.report.shutdown(took)
	if err != nil {
		o.report.breaks("orders: %v after %s: %s", err, took, o.process.stderr())
	}
	log, _ := os.ReadFile(o.process.log)
	for _, mark := range []string{"DATA RACE", "\npanic: ", "\nfatal error: "} { // not one that is told in a line
		if bytes.Contains(log, []byte(mark)) {
			o.report.breaks("orders: %s: see %s", strings.TrimSpace(mark), o.process.log)
		}
	}
	n := o.note(log)
	if last && n > 0 {
		o.report.breaks("orders: unfinished tasks without need: %s", o.process.stderr())
	}
	o.temporary(n)
}

// note takes the tasks named as unfinished from the last line of a process's log.
func (o *orders) note(log []byte) (n int) {
	found := unfinished.FindSubmatch(log)
	if found == nil {
		return 0
	}
	n, _ = strconv.Atoi(string(found[1]))
	requests := ofRequest.FindAllSubmatch(found[0], -1)
	for _, request := range requests {
		o.named[string(request[1])] = true
	}
	o.unnamed[o.life] = n - len(requests)
	o.report.named += n
	return n
}
