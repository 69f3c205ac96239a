package bgtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A record is what became of the tasks.
type record struct {
	tasks []*task // in the order added
	byKey map[key]*task
	ran   []string // names, in the order started
}

type task struct {
	last  bgtasks.Event
	fault bool // what ran last in its place was one
}

// key finds a task: its list, and its position in it.
type key struct {
	list     uint64
	position int
}

func keyOf(info bgtasks.Info) key { return key{info.ID, info.Position} }

func newRecord() record { return record{byKey: make(map[key]*task)} }

func (r *record) note(e bgtasks.Event) {
	switch e.Kind {
	case bgtasks.Refused:
		r.tasks = append(r.tasks, &task{last: e})
		return
	case bgtasks.Accepted:
		t := &task{}
		r.tasks, r.byKey[keyOf(e.Info)] = append(r.tasks, t), t
	case bgtasks.Started:
		r.ran = append(r.ran, e.Info.Name)
	}
	r.byKey[keyOf(e.Info)].last = e
}

// all returns the last event of each task for which is is true.
func (r *record) all(is func(bgtasks.Event) bool) []bgtasks.Event {
	var found []bgtasks.Event
	for _, t := range r.tasks {
		if is(t.last) {
			found = append(found, t.last)
		}
	}
	return found
}

func isPending(e bgtasks.Event) bool {
	return e.Kind == bgtasks.Accepted || e.Kind == bgtasks.Started || e.Kind == bgtasks.Retried
}

func isAny(bgtasks.Event) bool { return true }

func ofKind(kind bgtasks.Kind) func(bgtasks.Event) bool {
	return func(e bgtasks.Event) bool { return e.Kind == kind }
}

func named(name string) func(bgtasks.Event) bool {
	return func(e bgtasks.Event) bool { return e.Info.Name == name }
}

// Ran returns the names of the tasks that have started, in that order, each once however
// many attempts it took and whatever became of it.
func (k *Kit) Ran() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.record.ran...)
}

// Tasks returns the last event of every task, in the order in which the tasks were added.
//
//   - Kind says what became of it: Finished (with Err nil or not), Skipped, Forgotten (taken
//     back), Unfinished (at a shutdown's deadline), Refused (by Add); while it is on its
//     way Accepted (not started), Started, or Retried (an attempt has failed).
//   - Info has its name, its request's route and method, and in Attempt how many attempts
//     there were; Outcome has the status of the response.
//   - Err is its error, or why it was skipped or refused.
//   - Wait is the time from Add to its start, Elapsed from then to its end.
func (k *Kit) Tasks() []bgtasks.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.record.all(isAny)
}

// Names returns the names of the tasks whose last event is of that kind, in the order in
// which they were added: those of kind Skipped, of kind Forgotten (taken back), of kind
// Accepted (not started yet), and so on.
func (k *Kit) Names(kind bgtasks.Kind) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var names []string
	for _, e := range k.record.all(ofKind(kind)) {
		names = append(names, e.Info.Name)
	}
	return names
}

// Task returns the last event of the task of that name (see Tasks). It fails the test, and
// ends it, unless there is exactly one.
func (k *Kit) Task(name string) bgtasks.Event {
	k.t.Helper()
	k.mu.Lock()
	found := k.record.all(named(name))
	story := k.record.story()
	k.mu.Unlock()
	if len(found) != 1 {
		k.must(fmt.Errorf("bgtest: there are %d tasks of the name %q, want one%s", len(found), name, story))
		return bgtasks.Event{} // for a TestingT whose FailNow returns
	}
	return found[0]
}

// story tells what became of all tasks, a line each.
func (r *record) story() string {
	if len(r.tasks) == 0 {
		return "\n\tno task was added: does the router under test use the kit's Runner?"
	}
	var b strings.Builder
	for _, t := range r.tasks {
		fmt.Fprintf(&b, "\n\t%s", sentence(t.last))
	}
	return b.String()
}

// sentence says what became of a task.
func sentence(e bgtasks.Event) string { return title(e.Info) + " " + fate(e) }

func title(info bgtasks.Info) string {
	s := fmt.Sprintf("task %q", info.Name)
	if request := strings.TrimSpace(info.Method + " " + info.Route); request != "" {
		s += " of " + request
	}
	return s
}

func fate(e bgtasks.Event) string {
	attempt := ""
	if e.Info.Attempt > 1 {
		attempt = fmt.Sprintf(" in attempt %d", e.Info.Attempt)
	}
	switch e.Kind {
	case bgtasks.Accepted:
		return "has not started"
	case bgtasks.Started:
		return fmt.Sprintf("has been running for %v", time.Since(e.Info.Started).Round(time.Millisecond))
	case bgtasks.Retried:
		return fmt.Sprintf("has failed in attempt %d and is tried again: %v", e.Info.Attempt, e.Err)
	case bgtasks.Forgotten:
		return "was taken back"
	case bgtasks.Unfinished:
		return "was left unfinished by a shutdown"
	case bgtasks.Finished:
		if e.Err == nil {
			return "succeeded" + attempt
		}
		return fmt.Sprintf("failed%s: %v", attempt, e.Err)
	}
	return fmt.Sprintf("was %v: %v", e.Kind, e.Err)
}
