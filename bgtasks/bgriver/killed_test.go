package bgriver_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kills is how often the shop is killed: a few times, or as the proof wants it (make durable).
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("BGRIVER_KILLS")); err == nil {
		return n
	}
	return 4
}

// inTheEnd is how long it may take until everything is done: a new leader, the rescuer's next
// round, and what is left to do.
const inTheEnd = 3 * time.Minute

func onlySlowly(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a minute")
	}
	t.Parallel()
}

func TestKilledAgainAndAgainNothingAcknowledgedIsLost(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		onlySlowly(t)
		b := newSQLite(t)
		killedAgainAndAgain(t, "SQLite", b.url, sqliteLedger(t, b))
	})
	t.Run("Postgres", func(t *testing.T) {
		onlySlowly(t)
		b := newPostgres(t)
		killedAgainAndAgain(t, "Postgres", b.url, postgresLedger(t, b))
	})
}

func sqliteLedger(t *testing.T, b *base[*sql.Tx]) ledger {
	return newLedger(t, b, "INTEGER PRIMARY KEY AUTOINCREMENT",
		`SELECT json_extract(args, '$.steps[0].arg') || ' ' || json_extract(metadata, '$."river:resumable_step"') FROM river_job
		WHERE json_extract(metadata, '$."river:resumable_step"') IS NOT NULL`)
}

func postgresLedger(t *testing.T, b *base[pgx.Tx]) ledger {
	return newLedger(t, b, "bigserial PRIMARY KEY",
		`SELECT (args->'steps'->0->>'arg') || ' ' || (metadata->>'river:resumable_step') FROM river_job
		WHERE metadata->>'river:resumable_step' IS NOT NULL`)
}

func newLedger[Tx any](t *testing.T, b *base[Tx], serial, recorded string) ledger {
	for _, table := range shopTables(serial) {
		b.must(t, table)
	}
	return ledger{recorded: recorded, rows: func(query string) []string {
		found, err := b.strings(context.Background(), query)
		require.NoError(t, err)
		return found
	}}
}

func killedAgainAndAgain(t *testing.T, role, url string, l ledger) {
	var current atomic.Pointer[process]
	current.Store(startShop(t, role, url))
	c := newCustomers(8, &current)
	defer c.wait()
	far, before := map[int64]int64{}, map[stepOf]int{}
	for range kills() {
		<-time.After(300*time.Millisecond + rand.N(700*time.Millisecond))
		current.Load().kill()
		far, before = noneAgain(t, l, far, before)
		current.Store(startShop(t, role, url))
	}
	c.wait()
	require.Positive(t, c.count())
	untilThrough(t, l)
	current.Load().stop(t)
	noneAgain(t, l, far, before)
	allDone(t, l, c)
}

// noneAgain fails if a step that was recorded when the process was last killed has run since, or
// if now, that it has been killed again, a step has begun without a record of the one before.
func noneAgain(t *testing.T, l ledger, far map[int64]int64, before map[stepOf]int) (map[int64]int64, map[stepOf]int) {
	t.Helper()
	records := l.records() // first: Postgres may be committing what the process has asked for before its death
	now := l.runs()
	for s, n := range now {
		if s.step <= far[s.order] && n != before[s] {
			assert.Fail(t, "a step that was recorded ran again", "order %d, step %d: %d runs, %d before", s.order, s.step, n, before[s])
		}
		if s.step > records[s.order]+1 {
			assert.Fail(t, "a step began before the one before it was recorded", "order %d, step %d, recorded %d", s.order, s.step, records[s.order])
		}
	}
	return records, now
}

func untilThrough(t *testing.T, l ledger) {
	t.Helper()
	for began := time.Now(); ; <-time.After(100 * time.Millisecond) {
		left := l.open()
		if left == "" {
			t.Logf("everything was done %v after the last kill", time.Since(began).Round(time.Second))
			return
		}
		if time.Since(began) > inTheEnd {
			require.FailNow(t, "units are left: "+left)
		}
	}
}

// allDone checks that every order that was answered is there, with all its steps, in order, and
// that no order is there without them.
func allDone(t *testing.T, l ledger, c *customers) {
	t.Helper()
	stored := map[string]bool{}
	for _, order := range l.rows("SELECT CAST(ord AS text) FROM orders") {
		stored[order] = true
	}
	runs, again, most := l.runs(), 0, 0
	for order := range c.answered {
		require.True(t, stored[fmt.Sprint(order)], "order %d was answered and is not there", order)
	}
	for order := range stored {
		id, _ := strconv.ParseInt(order, 10, 64)
		for step := int64(1); step <= stepsOfAnOrder; step++ {
			n := runs[stepOf{id, step}]
			require.Positive(t, n, "order %d: step %d was not run", id, step)
			again, most = again+n-1, max(most, n)
		}
	}
	assert.Empty(t, l.outOfOrder())
	reserved := l.rows("SELECT CAST(ord AS text) FROM reserved")
	assert.Len(t, reserved, len(stored), "what is done in the transaction that records it is done once")
	t.Logf("%d orders answered, %d stored, %d steps; %d runs of steps that were in flight were repeated, one step %d times",
		len(c.answered), len(stored), len(stored)*stepsOfAnOrder, again, most-1)
}

func TestOfTwoProcessesOneIsKilledAndTheOtherTakesUpItsUnits(t *testing.T) {
	onlySlowly(t)
	b := newPostgres(t)
	l := postgresLedger(t, b)
	var one, two atomic.Pointer[process]
	one.Store(startShop(t, "Postgres", b.url))
	two.Store(startShop(t, "Postgres", b.url))
	c := newCustomers(8, &one, &two)
	defer c.wait()
	eventually(t, "orders", func() bool { return c.count() > 200 })
	one.Load().kill()
	killed := time.Now()
	dead := fmt.Sprint("shop-", one.Load().cmd.Process.Pid)
	orphans := l.rows("SELECT CAST(id AS text) FROM river_job WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = '" + dead + "'")
	one.Store(two.Load())
	<-time.After(time.Second) // in which the other goes on
	c.wait()
	untilThrough(t, l)
	taken := time.Since(killed)
	t.Logf("%d units were running in the process that was killed; all was done after %v", len(orphans), taken.Round(time.Second))
	assert.Less(t, taken, childRescue+35*time.Second+10*time.Second, "a few seconds are for the load")
	two.Load().stop(t)
	allDone(t, l, c)
}

func TestKilledBetweenCommitAndResponseTheUnitStartsAfterItsLease(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		onlySlowly(t)
		b := newSQLite(t)
		killedBeforeTheResponse(t, "SQLite", b.url, sqliteLedger(t, b))
	})
	t.Run("Postgres", func(t *testing.T) {
		onlySlowly(t)
		b := newPostgres(t)
		killedBeforeTheResponse(t, "Postgres", b.url, postgresLedger(t, b))
	})
}

func killedBeforeTheResponse(t *testing.T, role, url string, l ledger) {
	p := startShop(t, role, url)
	added := time.Now()
	_, err := http.Post(p.url+"/orders/1?die", "", nil)
	require.Error(t, err, "no response")
	await(t, p.dead, "its death")
	require.Equal(t, "scheduled 1", l.open())
	p = startShop(t, role, url)
	for len(l.runs()) == 0 {
		require.Less(t, time.Since(added), time.Minute)
		<-time.After(20 * time.Millisecond)
	}
	waited := time.Since(added)
	t.Logf("it started %v after the order, with a lease of %v", waited.Round(time.Second/10), childLease)
	assert.Greater(t, waited, childLease-6*time.Second)
	untilThrough(t, l)
	p.stop(t)
}
