package main

import (
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A fakeShop has what orders answers and writes when all is well: one of each kind.
type fakeShop struct {
	*orders
	rows map[string]any // by path
}

type row = map[string]any

func wellKeptShop(t *testing.T) fakeShop {
	t.Helper()
	cfg := defaults()
	cfg.dir = t.TempDir()
	o, err := newOrders(&run{config: cfg, report: newReport(cfg)}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	shop := fakeShop{o, map[string]any{
		"/orders/1":             row{"customer_id": "order-1", "steps": fiveSteps()},
		"/images/1":             row{"name": "image-1", "status": "ready"},
		"/reports/1":            row{"requested_at": "2026-11-24T10:00:00Z", "since": "2026-11-23T10:00:00Z", "status": "completed"},
		"/customers/customer-1": row{"sync": "synced"},
		"/items":                []row{{"id": "apple", "stock": 9}, {"id": "item-1", "stock": 12}},
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shop.rows[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(shop.rows[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	o.process, o.life = &process{plain: strings.TrimPrefix(server.URL, "http://")}, 0
	for kind, acked := range map[string]string{"order": "1", "image": "1", "report": "1", "customer": "customer-1", "item": "item-1"} {
		o.is(o.asks(kind), acked)
	}
	o.is(o.asksDelivery(o.sent["item-1"], 12, false), "item-1")
	for _, what := range []string{"order 1", "image 1", "customer customer-1"} {
		o.outside.told[what] = 1
	}
	shop.file(t, "uploads.log", `2026-11-24T10:00:00Z image 1 uploaded by user 7: "image-1"`+"\n")
	shop.file(t, "outbox/order-1.eml", "Subject: Order 1\r\n\r\n")
	shop.file(t, "outbox/notice-a.eml", "Subject: Report 1 is ready\r\n\r\n")
	shop.file(t, "outbox/notice-b.eml", "Subject: New item: item-1\r\n\r\n")
	shop.file(t, "reports/1.csv", "")
	var thumbnail strings.Builder
	_ = png.Encode(&thumbnail, image.NewGray(image.Rect(0, 0, 1, 1)))
	shop.file(t, "thumbnails/1.png", thumbnail.String())
	return shop
}

func fiveSteps() (steps []row) {
	for _, name := range []string{"validate order", "update inventory", "send confirmation", "notify fulfilment", "write audit"} {
		steps = append(steps, row{"name": name, "state": "succeeded", "attempt": 1, "started_at": "2026-11-24T10:00:00Z", "ended_at": "2026-11-24T10:00:00Z"})
	}
	return steps
}

func (s fakeShop) file(t *testing.T, name, text string) {
	t.Helper()
	name = s.shop(name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s fakeShop) remove(names ...string) {
	for _, name := range names {
		_ = os.Remove(s.shop(name))
	}
}

// Each kind of broken promise is seen, in the database and in each folder.
func TestComparisonSeesWhatIsWrongWithOrders(t *testing.T) {
	for name, c := range map[string]struct {
		breaks                    func(s fakeShop)
		lost, doubled, disordered int
		more                      bool // of another kind
	}{
		"nothing":                      {breaks: func(fakeShop) {}},
		"an order gone":                {breaks: func(s fakeShop) { delete(s.rows, "/orders/1") }, lost: 1},
		"an order without its end":     {breaks: func(s fakeShop) { s.rows["/orders/1"] = row{"customer_id": "order-1"} }, lost: 1},
		"the same, but named":          {breaks: func(s fakeShop) { s.rows["/orders/1"] = row{"customer_id": "order-1"}; s.named["order-1"] = true }},
		"the same, but counted":        {breaks: func(s fakeShop) { s.rows["/orders/1"] = row{"customer_id": "order-1"}; s.unnamed[0] = 1 }},
		"another's order":              {breaks: func(s fakeShop) { s.sent["order-1"].acked = "2" }, lost: 1, more: true},
		"an order told twice":          {breaks: func(s fakeShop) { s.outside.told["order 1"] = 2 }, doubled: 1},
		"an order never told":          {breaks: func(s fakeShop) { delete(s.outside.told, "order 1") }, lost: 1},
		"an order not confirmed":       {breaks: func(s fakeShop) { s.remove("outbox/order-1.eml") }, lost: 1},
		"a step run twice":             {breaks: func(s fakeShop) { s.step(0)["attempt"] = 2 }, doubled: 1},
		"a step before its turn":       {breaks: func(s fakeShop) { s.step(4)["started_at"] = "2026-11-24T09:00:00Z" }, disordered: 1},
		"an image in process":          {breaks: func(s fakeShop) { s.rows["/images/1"] = row{"name": "image-1", "status": "processing"} }, lost: 1},
		"an image of nobody":           {breaks: func(s fakeShop) { s.rows["/images/2"] = row{"name": "image-2"} }, more: true},
		"an image that failed":         {breaks: func(s fakeShop) { s.rows["/images/1"] = row{"name": "image-1", "status": "failed"} }, more: true},
		"no thumbnail":                 {breaks: func(s fakeShop) { s.remove("thumbnails/1.png") }, lost: 1},
		"an image not in the log":      {breaks: func(s fakeShop) { s.remove("uploads.log") }, lost: 1},
		"an image announced twice":     {breaks: func(s fakeShop) { s.outside.told["image 1"] = 2 }, doubled: 1},
		"no file of a report":          {breaks: func(s fakeShop) { s.remove("reports/1.csv") }, lost: 1},
		"no mail of a report":          {breaks: func(s fakeShop) { s.remove("outbox/notice-a.eml") }, lost: 1},
		"a customer not synced":        {breaks: func(s fakeShop) { s.rows["/customers/customer-1"] = row{"sync": "pending"} }, lost: 1},
		"a customer gone":              {breaks: func(s fakeShop) { delete(s.rows, "/customers/customer-1") }, lost: 1},
		"a customer told twice":        {breaks: func(s fakeShop) { s.outside.told["customer customer-1"] = 2 }, doubled: 1},
		"an item gone":                 {breaks: func(s fakeShop) { s.rows["/items"] = []row{} }, lost: 1},
		"no mail of an item":           {breaks: func(s fakeShop) { s.remove("outbox/notice-b.eml") }, lost: 1},
		"a delivery not in stock":      {breaks: func(s fakeShop) { s.rows["/items"] = []row{{"id": "item-1", "stock": 0}} }, lost: 1},
		"a delivery in stock twice":    {breaks: func(s fakeShop) { s.rows["/items"] = []row{{"id": "item-1", "stock": 24}} }, doubled: 1},
		"half a delivery in stock":     {breaks: func(s fakeShop) { s.rows["/items"] = []row{{"id": "item-1", "stock": 6}} }, more: true},
		"a failing delivery, in stock": {breaks: func(s fakeShop) { s.sent["import-1"].quantity = 0 }, more: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := wellKeptShop(t)
			c.breaks(s)
			if err := s.compareStored(); err != nil {
				t.Fatal(err)
			}
			got := s.report.ledger
			if got.lost != c.lost || got.doubled != c.doubled || got.disordered != c.disordered {
				t.Errorf("lost %d, doubled %d, out of order %d: %q", got.lost, got.doubled, got.disordered, s.report.broken)
			}
			if broken := c.lost+c.doubled+c.disordered > 0 || c.more; broken != (len(s.report.broken) > 0) {
				t.Errorf("%q", s.report.broken)
			}
		})
	}
}

func (s fakeShop) step(i int) row { return s.rows["/orders/1"].(row)["steps"].([]row)[i] }

// The error of a shutdown names ten tasks, and counts the others.
func TestTasksNamedAsUnfinishedAreTakenFromTheLog(t *testing.T) {
	s := wellKeptShop(t)
	n := s.note([]byte(`{"msg":"stopped"}` + "\n" + `orders: bgtasks: shutdown: 12 unfinished: "notify fulfilment" of request "order-7", "write audit" of request "order-7" (not started), ` +
		`"sync customer" of request "hang-1" and 9 more: context deadline exceeded` + "\n"))
	if n != 12 || !s.named["order-7"] || !s.named["hang-1"] || len(s.named) != 2 || s.unnamed[0] != 9 {
		t.Errorf("%d: %v, %v", n, s.named, s.unnamed)
	}
}

// A temporary file that no named task can have left breaks the promise.
func TestTemporaryFilesThatAreLeftAreSeen(t *testing.T) {
	for _, name := range []string{"temp/delivery-1.csv", "thumbnails/1.png.part", "outbox/order-1.part", "../shop-tmp/multipart-1"} {
		s := wellKeptShop(t)
		s.temporary(0)
		s.file(t, name, "")
		s.temporary(1)
		if len(s.report.broken) != 0 || s.report.leftFiles != 1 {
			t.Errorf("%s: %q", name, s.report.broken)
		}
		s.file(t, name, "")
		s.temporary(0)
		if len(s.report.broken) != 1 {
			t.Errorf("%s is not seen", name)
		}
	}
}
