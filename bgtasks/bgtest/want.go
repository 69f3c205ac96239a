package bgtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// WantRan fails the test unless just these tasks have started, in this order, and says what
// became of each. With testify: assert.Equal(t, []string{"log", "mail"}, k.Ran()).
func (k *Kit) WantRan(names ...string) {
	k.t.Helper()
	k.want("ran", k.Ran(), names)
}

// Want does the same for the tasks whose last event is of that kind (see Names):
//
//	k.Want(bgtasks.Skipped, "send mail")
//	k.Want(bgtasks.Refused) // none was
func (k *Kit) Want(kind bgtasks.Kind, names ...string) {
	k.t.Helper()
	k.want(kind.String(), k.Names(kind), names)
}

func (k *Kit) want(what string, got, want []string) {
	k.t.Helper()
	if slices.Equal(got, want) {
		return
	}
	k.mu.Lock()
	story := k.record.story()
	k.mu.Unlock()
	k.t.Errorf("bgtest: tasks that %s: %q, want %q%s", what, got, want, story)
}

// ExpectFailure says that tasks of these names are to fail, by an error or a panic of their
// own: when the test ends, it fails if one of them did not. Call it at any time. A task in
// whose place the kit has put a fault (Fail, Panic, Hang) is expected to fail anyway.
func (k *Kit) ExpectFailure(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expected = append(k.expected, names...)
}

// judge reports, at the end of the test, what was not as it should be.
func (k *Kit) judge() {
	k.t.Helper()
	k.mu.Lock()
	complaints := append(k.unexpected(), k.disappointed()...)
	k.mu.Unlock()
	for _, complaint := range complaints {
		k.t.Errorf("bgtest: %s", complaint)
	}
}

// unexpected are the failures that the test did not ask for.
func (k *Kit) unexpected() (complaints []string) {
	for _, t := range k.record.tasks {
		if e := t.last; failed(e) && !t.fault && !slices.Contains(k.expected, e.Info.Name) {
			complaint := sentence(e)
			if p, ok := errors.AsType[*bgtasks.PanicError](e.Err); ok {
				complaint += fmt.Sprintf("\n%s", p.Stack)
			}
			complaints = append(complaints, complaint+"\n\t(where that is what the test wants: ExpectFailure)")
		}
	}
	return complaints
}

func failed(e bgtasks.Event) bool { return e.Kind == bgtasks.Finished && e.Err != nil }

// disappointed are the failures that the test asked for in vain, perhaps by a name that no
// task has. Where it has failed anyway it may not have come to them.
func (k *Kit) disappointed() (complaints []string) {
	if k.t.Failed() {
		return nil
	}
	for _, name := range k.expected {
		if !slices.ContainsFunc(k.record.all(named(name)), failed) {
			complaints = append(complaints, fmt.Sprintf("ExpectFailure: no task %q has failed%s", name, k.record.story()))
		}
	}
	for name := range k.faults {
		if len(k.record.all(named(name))) == 0 {
			complaints = append(complaints, fmt.Sprintf("a fault was put in the place of task %q, but none was added%s", name, k.record.story()))
		}
	}
	slices.Sort(complaints)
	return complaints
}
