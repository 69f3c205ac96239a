package bgriver

import (
	"context"
	"fmt"
	"time"
)

// lastResort is the part of a shutdown's time that steps get to return in once their contexts
// have been ended: a quarter, but no more than this.
const lastResort = 2 * time.Second

// shutDown stops River with the runner: first softly (no new units; steps that run may end),
// and, near the end of the time, by ending the steps' contexts. Units that are not through
// go back to the table with the steps that are done, at no cost of an attempt, and the next
// process takes them up at once. It also waits for the releases of responses that are still being
// sent.
func (e *engine[Tx]) shutDown(ctx context.Context) error {
	e.stopping.Store(true)
	soft, cancel := softly(ctx)
	defer cancel()
	err := e.client.Stop(soft)
	if err != nil {
		err = e.stopHard(ctx)
	}
	if err != nil {
		return fmt.Errorf("bgriver: steps that do not heed their context still run: River takes their units up again when RescueStuckJobsAfter has passed: %w", err)
	}
	if err := e.releases.wait(ctx); err != nil {
		return fmt.Errorf("bgriver: units whose response has not been sent start when their lease has run out: %w", err)
	}
	return nil
}

// lastMoment is what steps get to return in if ctx, which has no deadline, has been cancelled: less than
// OnShutdown allows.
const lastMoment = 900 * time.Millisecond

func (e *engine[Tx]) stopHard(ctx context.Context) error {
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
		defer cancel()
		ctx = late
	}
	return e.client.StopAndCancel(ctx)
}

func softly(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/4, lastResort)))
}
