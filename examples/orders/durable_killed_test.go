package main

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quickRescue has the steps of a killed program taken up as soon as River allows: when another has
// become its leader, which is some 15 seconds later.
var quickRescue = []string{"-lease", "10s", "-rescue", "10s", "-mail-timeout", "2s", "-webhook-timeout", "2s", "-task-timeout", "2s", "-max-running", "16"}

// customers order from the programs, one after the other, until stop is called.
type customers struct {
	programs []*atomic.Pointer[program]
	mu       sync.Mutex
	answered map[int64]bool // with 201
	stop     func()
}

func startCustomers(t *testing.T, n int, programs ...*atomic.Pointer[program]) *customers {
	c := &customers{programs: programs, answered: map[int64]bool{}}
	end := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for tick := time.Tick(20 * time.Millisecond); ; {
				select {
				case <-end:
					return
				case <-tick:
					c.orders(t, programs[i%len(programs)].Load())
				}
			}
		})
	}
	c.stop = sync.OnceFunc(func() { close(end); all.Wait() })
	t.Cleanup(c.stop)
	return c
}

func (c *customers) orders(t *testing.T, p *program) {
	got, err := p.tryPost(goodOrder)
	if err != nil {
		return // it has been killed
	}
	if assert.Equal(t, http.StatusCreated, got.status, string(got.body)) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answered[orderID(t, got.body)] = true
	}
}

func (c *customers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answered)
}

func (p *program) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// untilAllIsDone waits for the end of all units that there are. River's rescuer looks every 30
// seconds.
func untilAllIsDone(t *testing.T, store *Store) {
	t.Helper()
	began, left := time.Now(), 1
	for left > 0 {
		require.NoError(t, store.read.QueryRowContext(t.Context(), `SELECT count(*) FROM river_job WHERE state <> 'completed'`).Scan(&left))
		require.Less(t, time.Since(began), 2*hang, "%d units are left", left)
		<-time.After(50 * time.Millisecond)
	}
	t.Logf("all was done %v later", time.Since(began).Round(time.Second))
}

// assertNothingLost finds that each order which was answered is there, that each which is there has
// its five steps done in order, and that each took its items out of stock once.
func (c *customers) assertNothingLost(t *testing.T, store *Store, hook *receiver) {
	t.Helper()
	stored := storedOrders(t, store)
	require.NotEmpty(t, stored)
	again, lost := 0, c.count()
	for _, o := range stored {
		if c.answered[o.ID] {
			lost--
		}
		got, err := store.Order(t.Context(), o.ID)
		require.NoError(t, err)
		require.Len(t, got.Steps, len(stepNames))
		for i, step := range got.Steps {
			require.Equal(t, "succeeded", step.State, "order %d: %s: %s", o.ID, step.Name, step.Error)
			require.NotNil(t, step.StartedAt, "order %d: %s", o.ID, step.Name)
			if i > 0 {
				assert.False(t, step.StartedAt.Before(*got.Steps[i-1].EndedAt), "order %d: %s began too early", o.ID, step.Name)
			}
			if step.Attempt > 1 {
				again++
			}
		}
		assert.Len(t, got.Audit, 1)
		assert.Len(t, hook.keys()[o.ID], 1, "order %d", o.ID)
	}
	assert.Zero(t, lost, "orders that were answered and are not there")
	assert.Equal(t, 1_000_000-2*len(stored), stock(t, store, "apple"))
	t.Logf("%d orders answered, %d stored; %d steps ended in a later attempt; %d notifications", c.count(), len(stored), again, len(hook.deliveries()))
}

func TestKilledProgramLosesNoDurableOrder(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, nil)
	dir := t.TempDir()
	flags := append([]string{"-durable", "-webhook", hook.url, "-dir", dir}, quickRescue...)
	var p atomic.Pointer[program]
	p.Store(start(t, flags...))
	c := startCustomers(t, 8, &p)
	for range 3 {
		before := c.count()
		eventually(t, "orders", func() bool { return c.count() >= before+20 })
		<-time.After(rand.N(300 * time.Millisecond))
		p.Load().kill()
		p.Store(start(t, flags...))
	}
	c.stop()
	store := openStoreFile(t, filepath.Join(dir, "orders.db"))
	untilAllIsDone(t, store)
	c.assertNothingLost(t, store, hook)
	p.Load().stop()
}

func TestOfTwoProgramsOneIsKilledAndTheOtherDoesItsDurableOrders(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, nil)
	url := newDatabase(t)
	flags := append([]string{"-durable", "-database", url, "-webhook", hook.url}, quickRescue...)
	var one, two atomic.Pointer[program]
	one.Store(start(t, flags...))
	two.Store(start(t, flags...))
	c := startCustomers(t, 8, &one, &two)
	eventually(t, "orders", func() bool { return c.count() >= 60 })
	one.Load().kill()
	one.Store(two.Load())
	before := c.count()
	eventually(t, "the other takes orders", func() bool { return c.count() >= before+20 })
	c.stop()
	store := openPostgres(t, url)
	untilAllIsDone(t, store)
	c.assertNothingLost(t, store, hook)
	two.Load().stop()
}
