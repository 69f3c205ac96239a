package main

import (
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// inspectorRows tell what a page that shows the tasks costs them: it observes each.
func inspectorRows() []row {
	return []row{{"4 tasks, with an inspector", "without one", "ns", noGoal(), 0, func(b *bench) round {
		watched := newRunner()
		chimw.Inspector(watched)
		return b.timed(servingTasks(oursOn(watched, 4), 4), servingTasks(oursWith(4), 4))
	}}}
}

func newRunner() *bgtasks.Runner { return bgtasks.New(bgtasks.Config{MaxPending: -1}) }
