package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"
)

// A timeline is what the client saw beside what the tasks did, in the order of time. Both are
// on one machine, and so by one clock.
type timeline struct {
	began   time.Time
	entries []entry
}

type entry struct {
	at           time.Time
	client, task string
}

func (t *timeline) client(at time.Time, format string, args ...any) {
	t.entries = append(t.entries, entry{at: at, client: fmt.Sprintf(format, args...)})
}

func (t *timeline) task(at time.Time, format string, args ...any) {
	t.entries = append(t.entries, entry{at: at, task: fmt.Sprintf(format, args...)})
}

const clientWidth = 44

func (t *timeline) print(out io.Writer, title string) {
	slices.SortStableFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	fmt.Fprintf(out, "\n%s\n%9s  %-*s  %s\n", title, "s", clientWidth, "the client", "the tasks")
	for _, e := range t.entries {
		fmt.Fprintf(out, "%9.4f  %-*s  %s\n", e.at.Sub(t.began).Seconds(), clientWidth, e.client, e.task)
	}
	t.entries = nil
}
