package bgotel

import (
	"maps"
	"sync"
	"sync/atomic"
)

// other stands for all values beyond a limit, as it does in the semantic conventions.
const other = "_OTHER"

// names are the values that an attribute of a metric may have: the first max that turn up,
// and other. A program that makes up names of tasks as it goes would fill the memory of all
// who keep its metrics.
//
// Looking up takes no lock: all tasks do it. The map is never changed but replaced, which
// happens max times.
type names struct {
	max   int
	mu    sync.Mutex
	known atomic.Pointer[map[string]bool]
}

func newNames(most int) *names {
	n := &names{max: most}
	n.known.Store(new(map[string]bool))
	return n
}

// limit returns name, or other.
func (n *names) limit(name string) string {
	known := *n.known.Load()
	switch {
	case known[name]:
		return name
	case len(known) >= n.max:
		return other
	}
	return n.enter(name)
}

func (n *names) enter(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := *n.known.Load()
	if known[name] {
		return name
	}
	if len(known) >= n.max {
		return other
	}
	more := make(map[string]bool, len(known)+1)
	maps.Copy(more, known)
	more[name] = true
	n.known.Store(&more)
	return name
}
