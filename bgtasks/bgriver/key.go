package bgriver

import (
	"context"
	"crypto/rand"
	"strconv"
)

type keyKey struct{}

// Key returns a text that is the same for every run of this step of this unit, and for nothing
// else: what a service that is called wants as an idempotency key. It is given to tasks in memory
// as well, and is empty in any other context.
func Key(ctx context.Context) string {
	key, _ := ctx.Value(keyKey{}).(string)
	return key
}

func withKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyKey{}, key)
}

// newKey makes the key of a unit. It is not the job's ID: SQLite gives the ID of a transaction
// that was rolled back away again, and a database that is set up anew begins with 1.
func newKey() string { return rand.Text() }

// stepKey is the key of a unit's step, counted from 1.
func stepKey(unit string, step int) string { return unit + "-" + strconv.Itoa(step) }
