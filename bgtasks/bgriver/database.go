package bgriver

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// database is what differs between SQLite and Postgres.
type database[TTx any] struct {
	driver  riverdriver.Driver[TTx]
	migrate string                                                 // the call that does, for messages
	check   func(ctx context.Context) error                        // is it there, and opened as it must be?
	inTx    func(ctx context.Context, fn func(tx TTx) error) error // commits if fn returns nil
	reuses  bool                                                   // gives the IDs of transactions that were rolled back away again
}

// migrated returns an error that says what to do if River's tables are not there, or not
// those that this version of River needs.
func (db database[TTx]) migrated(ctx context.Context, schema string) error {
	m, err := rivermigrate.New(db.driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler), Schema: schema})
	if err != nil {
		return fmt.Errorf("bgriver: %w", err)
	}
	res, err := m.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("bgriver: can't find out whether River's tables are there: %w", err)
	}
	switch {
	case res.OK:
		return nil
	case schema != "": // which db.migrate does not know
		return fmt.Errorf("bgriver: River's tables are missing or out of date in Config.River.Schema (%s): run River's command line tool: river migrate-up --schema %q --database-url ..., or have the program migrate at start with rivermigrate, whose Config has a Schema", res.Messages[0], schema)
	}
	return fmt.Errorf("bgriver: River's tables are missing or out of date (%s): have the program migrate at start, before it opens the queue, with %s, or run River's command line tool: river migrate-up", res.Messages[0], db.migrate)
}

func migrate[TTx any](driver riverdriver.Driver[TTx], up func(*rivermigrate.Migrator[TTx]) error) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = up(m)
	}
	if err != nil {
		return fmt.Errorf("bgriver: migrating River's tables: %w", err)
	}
	return nil
}
