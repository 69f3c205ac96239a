package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgriver"
	"github.com/riverqueue/river"
)

// define makes durable tasks of the functions in tasks.go. They run one after the other; each is
// recorded when it is done, and not run again then. So what workflow.go says by Needs is true of
// itself here, and for Retry there is River's schedule. The price of one unit for all: a mail that
// can't be sent yet holds up the fulfilment behind it, which in memory it does not (one that is refused
// for good does not either). Steps that are nothing to each other are better added as units of their own.
//
// Those that change the database do so in the transaction that records them: they are done once,
// however often the program is killed. Those that talk to others can be done more than once, by
// one key: see sendConfirmation and sendJSON.
func (d *durable[T]) define() []*bgriver.Task[Order] {
	return []*bgriver.Task[Order]{
		bgriver.Define(stepValidate, validateOrder, d.around(1)),
		bgriver.DefineTx(stepInventory, d.inTx(2, func(ctx context.Context, tx Tx, o Order) error {
			return takeFromStock(ctx, tx, o.Items)
		}), d.around(2)),
		bgriver.Define(stepConfirm, func(ctx context.Context, o Order) error {
			return sendConfirmation(ctx, confirmation{d.mailer, o})
		}, bgtasks.Timeout(d.mailTimeout), d.around(3)),
		bgriver.Define(stepFulfil, func(ctx context.Context, o Order) error {
			return notifyFulfilment(ctx, fulfilment{d.webhook, o})
		}, bgtasks.Timeout(d.webhookTimeout), d.around(4)),
		bgriver.DefineTx(stepAudit, d.inTx(5, func(ctx context.Context, tx Tx, o Order) error {
			return audit(ctx, tx, o.ID, len(stepNames))
		}), d.around(5)),
	}
}

// inTx has the end of a step recorded for the order's JSON in the same transaction too.
func (d *durable[T]) inTx(position int, work func(context.Context, Tx, Order) error) func(context.Context, T, Order) error {
	return func(ctx context.Context, own T, o Order) error {
		tx, attempt := d.tx(own), attemptNow(ctx, o.ID, position)
		if err := work(ctx, tx, o); err != nil {
			return err
		}
		return stepEnded(ctx, tx, attempt, nil)
	}
}

// around is the middleware of a step: it records each attempt for the order's JSON, has it go wrong
// if that was asked for, and gives the order up if trying again would not help. It is outside of the
// step's transaction, which a failure undoes.
func (d *durable[T]) around(position int) bgtasks.Middleware {
	return func(next bgtasks.Func) bgtasks.Func {
		return func(ctx context.Context) error {
			order, _ := ctx.Value(aboutKey{}).(about)
			info, _ := bgtasks.InfoFrom(ctx)
			step := next
			if fault := faults[order.Faults[info.Name]]; fault != nil && info.Attempt == 1 {
				step = fault
			}
			err := d.record(order.Order, position)(step)(ctx)
			switch {
			case isRefused(err): // recorded as failed; the goods are sent all the same, as they are in memory
				slog.ErrorContext(ctx, "mail refused", "order", order.Order, "error", err)
				return nil
			case hopeless(err):
				return d.giveUp(ctx, order.Order, err)
			}
			return err
		}
	}
}

// hopeless reports whether a step would fail in the same way the next time: the order has no
// customer, the stock is gone, the receiver finds the request wrong.
func hopeless(err error) bool {
	var rejected *RejectedError
	return errors.Is(err, errNoCustomer) || errors.Is(err, ErrOutOfStock) ||
		errors.As(err, &rejected) && rejected.final()
}

// giveUp ends an order of which a step has failed for good. In memory the steps that do not need
// that one would still run; the last of them, the audit, is written here. River then cancels the
// unit: it stays, to be seen in River UI, where somebody who has filled up the stock can have it
// tried again. It goes on with the step that failed, and adds to the audit how that went.
func (d *durable[T]) giveUp(ctx context.Context, order int64, reason error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	last := Attempt{Order: order, Position: len(stepNames), Number: 1, Began: time.Now()}
	err := d.store.tx(ctx, func(tx Tx) error {
		return errors.Join(audit(ctx, tx, order, len(stepNames)), stepEnded(ctx, tx, last, nil))
	})
	if err != nil {
		return errors.Join(reason, err) // which is not hopeless: River tries the step again, and so this
	}
	return givenUp{reason}
}

// givenUp is the reason, and tells River to cancel.
type givenUp struct{ error }

func (e givenUp) Unwrap() error { return river.JobCancel(e.error) }
