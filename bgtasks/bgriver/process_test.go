package bgriver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process is the shop, running.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
	dead  chan struct{}
}

func startShop(t *testing.T, role, database string) *process {
	t.Helper()
	p := &process{dead: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), "BGRIVER_CHILD="+role, "BGRIVER_URL="+database)
	p.cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		p.cmd.Stderr = nil
	}
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the shop has not started")
	p.url = "http://" + lines.Text()
	go func() {
		defer close(p.dead)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.dead
}

// stop ends the shop as its owner would.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.stdin.Close()
	await(t, p.dead, "the end of the shop")
	require.True(t, p.cmd.ProcessState.Success(), "%v", p.cmd.ProcessState)
}

// customers order from the shop, or from the one that has taken its place, without a pause.
type customers struct {
	shops    []*atomic.Pointer[process]
	next     atomic.Int64
	mu       sync.Mutex
	answered map[int64]bool // with 201
	wait     func()
}

func newCustomers(n int, shops ...*atomic.Pointer[process]) *customers {
	c := &customers{shops: shops, answered: map[int64]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			for ctx.Err() == nil {
				c.order(client, shops[i%len(shops)].Load())
			}
		})
	}
	c.wait = func() { stop(); all.Wait() }
	return c
}

func (c *customers) order(client *http.Client, p *process) {
	id := c.next.Add(1)
	res, err := client.Post(fmt.Sprintf("%s/orders/%d", p.url, id), "", nil)
	if err != nil {
		<-time.After(10 * time.Millisecond) // it is dead; the next is on its way
		return
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusCreated {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answered[id] = true
	}
}

func (c *customers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answered)
}

// What the parent reads from the shop's database.
type ledger struct {
	rows     func(query string) []string
	recorded string // query for "order recorded step"
}

func shopTables(serial string) []string {
	return []string{
		"CREATE TABLE orders (ord integer PRIMARY KEY)",
		"CREATE TABLE reserved (ord integer NOT NULL)",
		"CREATE TABLE runs (seq " + serial + ", ord integer NOT NULL, step integer NOT NULL)",
	}
}

type stepOf struct{ order, step int64 }

// runs counts how often each step has begun to run.
func (l ledger) runs() map[stepOf]int {
	counts := map[stepOf]int{}
	for _, row := range l.rows("SELECT ord || ' ' || step FROM runs ORDER BY seq") {
		var s stepOf
		_, _ = fmt.Sscan(row, &s.order, &s.step)
		counts[s]++
	}
	return counts
}

// records says how far each order's unit has been recorded as done.
func (l ledger) records() map[int64]int64 {
	far := map[int64]int64{}
	for _, row := range l.rows(l.recorded) {
		var order, step int64
		_, _ = fmt.Sscan(row, &order, &step)
		far[order] = step
	}
	return far
}

// outOfOrder lists orders of which a step ran after a later one had begun.
func (l ledger) outOfOrder() (found []string) {
	last := map[int64]int64{}
	for _, row := range l.rows("SELECT ord || ' ' || step FROM runs ORDER BY seq") {
		var s stepOf
		_, _ = fmt.Sscan(row, &s.order, &s.step)
		if s.step < last[s.order] || s.step > last[s.order]+1 {
			found = append(found, row)
		}
		last[s.order] = max(last[s.order], s.step)
	}
	return found
}

// open is how many units are not through, by state.
func (l ledger) open() string {
	return strings.Join(l.rows("SELECT CAST(state AS text) || ' ' || count(*) FROM river_job WHERE state <> 'completed' GROUP BY state"), ", ")
}
