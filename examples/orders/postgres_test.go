package main

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/internal/pgtest"
)

// postgres is one server for all tests, started when the first needs it.
var postgres = sync.OnceValues(func() (*pgtest.Cluster, error) {
	c, err := pgtest.New("fsync=off")
	if err == nil {
		closePostgres = func() { _ = c.Close() }
	}
	return c, err
})

// closePostgres is called when all tests have ended.
var closePostgres = func() {}

// newDatabase returns the URL of a Postgres database that is empty, or skips the test where there is
// no Postgres.
func newDatabase(t *testing.T) string {
	t.Helper()
	c, err := postgres()
	if errors.Is(err, pgtest.ErrNone) {
		t.Skip(err)
	}
	require.NoError(t, err)
	url, err := c.Database()
	require.NoError(t, err)
	return url
}

// openPostgres opens the database of a program, or one that is new.
func openPostgres(t *testing.T, url string) *Store {
	t.Helper()
	store, err := OpenPostgres(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

// onBoth runs a test on SQLite and on Postgres, with the flags for that.
func onBoth(t *testing.T, test func(t *testing.T, flags ...string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, "-durable")
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		test(t, "-durable", "-database", newDatabase(t))
	})
}

// All that the shop does is done on Postgres too, without and with durable steps.
func TestWholeShopWorksOnPostgres(t *testing.T) {
	t.Parallel()
	for _, durable := range []string{"-durable=false", "-durable"} {
		mail, hook := startMailServer(t), startReceiver(t, nil)
		p := start(t, "-database", newDatabase(t), durable, "-smtp", mail.addr, "-webhook", hook.url, "-crm", hook.url)
		assertAllSucceeded(t, p.processed(p.order(goodOrder)))
		assert.Equal(t, []Item{{"apple", "Apple", 1_000_000 - 2}, {"pear", "Pear", 1_000_000 - 1}, {"quince", "Quince", 3}}, p.items())
		assertProblem(t, p.post(orderJSON(`[{"id": "melon", "quantity": 1}]`)), 422, `unknown item "melon"`)
		var orders []Order
		p.get("/orders", &orders)
		assert.Len(t, orders, 1)
		assert.Len(t, readExport(t, p.request("GET", "/export", nil, nil).body), 2)

		assert.Equal(t, 201, p.sendJSON("POST", "/items", Item{"fig", "Fig", 5}).status)
		assertProblem(t, p.sendJSON("POST", "/items", Item{"fig", "Fig", 5}), 409, "there is an item")
		assertProblem(t, p.request("DELETE", "/items/apple", nil, nil), 409, "was ordered")
		assert.Equal(t, 200, p.request("DELETE", "/items/fig", nil, nil).status)
		assertProblem(t, p.request("DELETE", "/items/fig", nil, nil), 404, "no such item")
		assert.Equal(t, 202, p.delivers("apple,2\n").status)
		eventually(t, "the stock", func() bool { return p.items()[0].Stock == 1_000_000 })

		for range 2 {
			assert.Equal(t, 200, p.sendJSON("PUT", "/customers/c-1", customerInput{"Ann", "ann@example.com"}).status)
			assert.Equal(t, "synced", p.synced("/customers/c-1").Sync)
		}
		assert.Equal(t, 202, p.sendJSON("POST", "/reports", map[string]any{"type": "sales"}).status)
		file := p.request("GET", p.reportOnce("completed").File, nil, nil)
		assert.Equal(t, "item_id,name,orders,quantity\napple,Apple,1,2\npear,Pear,1,1\n", string(file.body))
		assert.Equal(t, 202, p.upload("photo.jpg", photo(t)).status)
		p.imageOnce("ready")

		p.sendJSON("POST", "/users", annsLogin).assertJSON(t, 201, `{"user_id": 1, "status": "created"}`)
		assertProblem(t, p.sendJSON("POST", "/users", annsLogin), 409, "there is a user")
		p.logsIn()
		token := p.logsIn()
		eventually(t, "both logins", func() bool { u := p.me(token); return u.LoginCount == 2 && len(u.Audit) == 2 })
		assert.Contains(t, string(p.request("GET", "/", nil, nil).body), "Order 1")
		p.stop()
		assert.NotContains(t, p.stderr.String(), `"level":"ERROR"`)
	}
}

// SQLite would take any bytes, Postgres takes only text.
func TestWhatIsNoTextIsRefusedOnPostgres(t *testing.T) {
	t.Parallel()
	p := start(t, "-database", newDatabase(t))
	assertProblem(t, p.request("GET", "/customers/%ff", nil, nil), 422, "id")
	assertProblem(t, p.request("GET", "/customers/%00", nil, nil), 422, "id")
	assertProblem(t, p.request("DELETE", "/items/%ff", nil, nil), 404, "no such item")
	assertProblem(t, p.request("DELETE", "/items/%00", nil, nil), 404, "no such item")
	assertProblem(t, p.post(orderJSON(`[{"id": "a\u0000", "quantity": 1}]`)), 422, "items[0]: id")
	for _, name := range []string{"caf\xe9.png", "a\x00.png"} {
		assertProblem(t, p.upload(name, nil), 422, "name")
	}
	assertProblem(t, p.sendJSON("POST", "/login", credentials{"a\x00", "password"}), 401, "wrong")
}

// What a mail server answers can be in any encoding.
func TestErrorThatIsNoTextIsRecordedOnPostgres(t *testing.T) {
	t.Parallel()
	store := openPostgres(t, newDatabase(t))
	order := createTestOrder(t, store, Line{"apple", 1})
	require.NoError(t, store.StepEnded(t.Context(), attempt(order.ID, 1, 1), errors.New("550 bo\xeete\x00 inconnue")))
	order, err := store.Order(t.Context(), order.ID)
	require.NoError(t, err)
	assert.Equal(t, "550 bo\uFFFDte\uFFFD inconnue", order.Steps[0].Error)
}

// Two orders of the same items, each in another order, would wait for each other.
func TestOrdersDoNotWaitForEachOtherOnPostgres(t *testing.T) {
	t.Parallel()
	store := openPostgres(t, newDatabase(t))
	var all sync.WaitGroup
	for i := range 8 {
		lines := []Line{{"apple", 1}, {"pear", 1}}
		if i%2 == 1 {
			lines = []Line{{"pear", 1}, {"apple", 1}}
		}
		all.Go(func() {
			for range 50 {
				if !assert.NoError(t, store.TakeFromStock(t.Context(), lines)) {
					return
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, 1_000_000-400, stock(t, store, "pear"))
}

// Nor would an order and a delivery.
func TestOrderAndDeliveryDoNotWaitForEachOtherOnPostgres(t *testing.T) {
	t.Parallel()
	store := openPostgres(t, newDatabase(t))
	delivery := stockDelivery{store, []Line{{"pear", 1}, {"apple", 1}}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if !assert.NoError(t, store.TakeFromStock(t.Context(), []Line{{"apple", 1}, {"pear", 1}})) {
					return
				}
			}
		})
		all.Go(func() {
			for range 50 {
				if !assert.NoError(t, updateStock(t.Context(), delivery)) {
					return
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, 1_000_000, stock(t, store, "pear"))
}

// While the database is away no order is taken, which the client is told; then all goes on.
func TestPostgresThatIsAwayForAMomentIsNoEnd(t *testing.T) {
	t.Parallel()
	newDatabase(t) // or skip
	c, err := pgtest.New("fsync=off")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	url, err := c.Database()
	require.NoError(t, err)
	p := start(t, "-durable", "-database", url)
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	c.Stop()
	assertProblem(t, p.post(goodOrder), 503, "the database is away")
	require.NoError(t, c.Start())
	var id int64
	eventually(t, "orders are taken again", func() bool {
		got := p.post(goodOrder)
		if got.status != http.StatusCreated {
			return false
		}
		id = orderID(t, got.body)
		return true
	})
	assertAllSucceeded(t, p.processed(id))
}

func TestDatabaseThatCanNotBeUsedEndsTheProgram(t *testing.T) {
	t.Parallel()
	there := newDatabase(t)
	dir := t.TempDir()
	for url, says := range map[string]string{
		"postgres://ann:secret@127.0.0.1:1/shop":  "is it running",
		strings.Replace(there, "///", "///no", 1): "createdb",
	} {
		assertRefusal(t, says, nil, "-dir", dir, "-addr", "127.0.0.1:0", "-durable", "-database", url)
	}
	_, _, stderr := runToEnd(t, []string{"ORDERS_DATABASE=mysql://ann:secret@db.example/shop"}, "-dir", dir)
	assert.Contains(t, stderr, "postgres://user:password@host:5432/name")
	assert.NotContains(t, stderr, "secret", "the password is not to be in a log")
}
