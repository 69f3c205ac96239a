package main

import (
	"context"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// Names of the steps, as they appear in the log and in an order's JSON.
const (
	stepValidate  = "validate order"
	stepInventory = "update inventory"
	stepConfirm   = "send confirmation"
	stepFulfil    = "notify fulfilment"
	stepAudit     = "write audit"
)

var stepNames = []string{stepValidate, stepInventory, stepConfirm, stepFulfil, stepAudit}

// A workflow is what happens to an order after its answer.
type workflow struct {
	store          *Store
	mailer         Mailer
	webhook        *Webhook
	mailTimeout    time.Duration
	webhookTimeout time.Duration
}

// add puts the five steps of an order on the list of its request, except that those in
// instead are replaced. If one is refused it takes back those before it: an order has all its
// steps or is not accepted.
func (f *workflow) add(ctx context.Context, o Order, instead map[string]bgtasks.Func) error {
	steps := []struct {
		fn   bgtasks.Func
		opts []bgtasks.Option
	}{
		{bgtasks.Bind(validateOrder, o), nil},
		{bgtasks.Bind(updateInventory, inventoryUpdate{f.store, o.Items}), []bgtasks.Option{
			bgtasks.Needs(stepValidate),
		}},
		{bgtasks.Bind(sendConfirmation, confirmation{f.mailer, o}), []bgtasks.Option{
			bgtasks.Needs(stepInventory),
			bgtasks.Timeout(f.mailTimeout),
		}},
		{bgtasks.Bind(notifyFulfilment, fulfilment{f.webhook, o}), []bgtasks.Option{
			bgtasks.Needs(stepInventory),
			bgtasks.Timeout(f.webhookTimeout),
			bgtasks.Retry(4, unlessRejected(bgtasks.Backoff(200*time.Millisecond, 5*time.Second))),
		}},
		{bgtasks.Bind(writeAudit, auditEntry{f.store, o.ID, len(stepNames)}), nil},
	}
	for i, step := range steps {
		name, fn := stepNames[i], step.fn
		if other, ok := instead[name]; ok {
			fn = other
		}
		if err := bgtasks.Add(ctx, name, fn, append(step.opts, f.record(o.ID, i+1))...); err != nil {
			forgetSteps(ctx)
			return err
		}
	}
	return nil
}

// forgetSteps takes back the steps of an order that is not to be.
func forgetSteps(ctx context.Context) {
	for _, name := range stepNames {
		bgtasks.Forget(ctx, name)
	}
}
