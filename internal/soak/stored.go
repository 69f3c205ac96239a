package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// What a new process of orders finds in its database and its folders: all that was stored must
// have ended or be named by the process that took it, and all that was acknowledged must be stored.

// stored is a row, of whatever kind.
type stored struct {
	Customer    string    `json:"customer_id"`
	Name        string    // of an image: the ID of its request
	State       string    `json:"status"`
	Sync        string    // of a customer
	Since       time.Time // of a report: so many days ago as say whose it is
	RequestedAt time.Time `json:"requested_at"`
	Steps       []step
}

type step struct {
	Name, State string
	Attempt     int
	StartedAt   *time.Time `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at"`
}

// compare starts a process, and compares.
func (o *orders) compare() error {
	if err := o.start(); err != nil {
		return err
	}
	defer o.process.kill()
	return o.compareStored()
}

func (o *orders) compareStored() error {
	mails, err := o.mails()
	if err != nil {
		return err
	}
	uploads, err := o.uploadLog()
	if err != nil {
		return err
	}
	return errors.Join(
		o.each("order", "/orders/", func(id string, s stored) *asked { return o.checkOrder(id, s) }),
		o.each("image", "/images/", func(id string, s stored) *asked { return o.checkImage(id, s, uploads[id]) }),
		o.each("report", "/reports/", func(id string, s stored) *asked {
			return o.checkReport(id, s, mails["Report "+id+" is ready"])
		}),
		o.checkCustomers(),
		o.checkItems(mails),
		o.checkAcked(),
	)
}

// each has all rows of a kind checked: they are numbered without a gap. check returns whose
// a row is.
func (o *orders) each(kind, path string, check func(id string, s stored) *asked) error {
	for n := 1; ; n++ {
		var row stored
		id := strconv.Itoa(n)
		status, err := o.get(path+id, &row)
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, id, err)
		}
		if status == http.StatusNotFound {
			return nil
		}
		a := check(id, row)
		switch {
		case a == nil:
			o.report.isForeign("%s %s is nobody's: %+v", kind, id, row)
		case a.acked != "" && a.acked != id:
			o.report.isForeign("%s was told that it was %s %s, and is %s", a.id, kind, a.acked, id)
		default:
			a.stored = true
			o.report.stored[kind]++
		}
	}
}

// must sees to it that a task has had its effect n times, which is once, or that its request is named.
func (o *orders) must(a *asked, n int, what string) {
	switch {
	case a == nil || n == 1:
	case n > 1:
		o.report.ledger.doubled++
		o.report.breaks("doubled: %s: %s, %d times", a.id, what, n)
	case o.named[a.id]:
	case o.excused[a.life] < o.unnamed[a.life]:
		o.excused[a.life]++
	default:
		o.report.ledger.lost++
		o.report.breaks("lost: %s (life %d): not %s", a.id, a.life, what)
	}
}

// maybeNamed reports whether a's tasks may be among those that its process has named.
func (o *orders) maybeNamed(a *asked) bool { return o.named[a.id] || o.unnamed[a.life] > 0 }

func times(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// checkAcked looks for what was acknowledged and is not there.
func (o *orders) checkAcked() error {
	for id, a := range o.sent {
		if a.acked == "" {
			continue
		}
		o.report.ackedShop[a.kind]++
		if !a.stored && a.kind != "export" && a.kind != "import" {
			o.report.ledger.lost++
			o.report.breaks("lost: %s, acknowledged as %q", id, a.acked)
		}
	}
	return nil
}
