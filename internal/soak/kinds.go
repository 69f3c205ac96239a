package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// What is checked of each kind of thing that orders stores. The first four return whose it is.

func (o *orders) checkOrder(id string, s stored) *asked {
	a := o.sent[s.Customer]
	o.must(a, times(len(s.Steps) == 5 && s.Steps[4].EndedAt != nil), "ended")
	o.checkSteps(id, s.Steps)
	told := o.outside.wasTold("order " + id)
	if told > 1 || len(s.Steps) == 5 && s.Steps[3].State == "succeeded" {
		o.must(a, told, "announced")
	}
	if len(s.Steps) == 5 && s.Steps[2].State == "succeeded" {
		_, err := os.Stat(o.shop("outbox", "order-"+id+".eml"))
		o.must(a, times(err == nil), "confirmed")
	}
	return a
}

func (o *orders) checkSteps(id string, steps []step) {
	var before time.Time
	for _, step := range steps {
		if step.EndedAt == nil || step.StartedAt == nil {
			continue // skipped, or never begun
		}
		o.report.steps++
		if step.Attempt > 1 && step.Name != "notify fulfilment" {
			o.report.ledger.doubled++
			o.report.breaks("doubled: order %s: %+v", id, step)
		}
		if step.StartedAt.Before(before) {
			o.report.ledger.disordered++
			o.report.breaks("out of order: order %s: %+v", id, steps)
		}
		before = *step.EndedAt
	}
}

func (o *orders) checkImage(id string, s stored, logged int) *asked {
	a := o.sent[s.Name]
	if a == nil {
		return nil
	}
	o.must(a, logged, "in the log of uploads")
	o.must(a, times(s.State != "processing"), "ended")
	if s.State == "processing" {
		return a
	}
	if !o.maybeNamed(a) && a.fails != (s.State == "failed") {
		o.report.breaks("wrong: image %s of %s: %s", id, a.id, s.State)
	}
	if s.State == "ready" {
		o.must(a, o.outside.wasTold("image "+id), "announced")
		o.must(a, times(isPNG(o.shop("thumbnails", id+".png"))), "a thumbnail")
	}
	return a
}

func (o *orders) checkReport(id string, s stored, mails int) *asked {
	days := int(s.RequestedAt.Sub(s.Since).Hours()+1) / 24
	a := o.sent[fmt.Sprintf("report-%d", days)]
	o.must(a, times(s.State != "processing"), "ended")
	switch s.State {
	case "completed":
		_, err := os.Stat(o.shop("reports", id+".csv"))
		o.must(a, times(err == nil), "a file")
		o.must(a, mails, "mailed")
	case "failed":
		if a != nil && !o.maybeNamed(a) {
			o.report.breaks("wrong: report %s: failed", a.id)
		}
	}
	return a
}

// checkCustomers asks for each that was sent, for customers have no numbers.
func (o *orders) checkCustomers() error {
	for id, a := range o.sent {
		if a.kind != "customer" && a.kind != "hang" {
			continue
		}
		var row stored
		status, err := o.get("/customers/"+id, &row)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if status == http.StatusNotFound {
			continue
		}
		a.stored = true
		o.report.stored["customer"]++
		o.must(a, times(row.Sync != "pending"), "synced")
		o.must(a, o.outside.wasTold("customer "+id), "told to the CRM")
		if !o.maybeNamed(a) && row.Sync != "pending" && a.fails != (row.Sync == "failed") {
			o.report.breaks("wrong: %s: %s", id, row.Sync)
		}
	}
	return nil
}

// checkItems compares the stock with what was delivered.
func (o *orders) checkItems(mails map[string]int) error {
	var items []struct {
		ID    string
		Stock int
	}
	if status, err := o.get("/items", &items); err != nil || status != http.StatusOK {
		return fmt.Errorf("items: %d, %w", status, err)
	}
	for _, item := range items {
		a := o.sent[item.ID]
		if a == nil {
			continue // there from the beginning
		}
		a.stored = true
		o.report.stored["item"]++
		o.must(a, mails["New item: "+item.ID], "mailed")
		o.checkStock(a.delivery, item.Stock)
	}
	return nil
}

// checkStock compares the stock of an item with the one delivery of it, if there was one.
func (o *orders) checkStock(d *asked, stock int) {
	if stock == 0 && (d == nil || d.acked == "" || d.quantity == 0) {
		return
	}
	if d == nil || d.quantity == 0 || stock%d.quantity != 0 {
		o.report.breaks("wrong: a stock of %d after the delivery %+v", stock, d)
		return
	}
	o.report.stored["import"]++
	o.must(d, stock/d.quantity, "in stock")
}
