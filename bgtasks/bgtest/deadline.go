package bgtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	defaultDeadline = 10 * time.Second
	bubbleDeadline  = 24 * time.Hour
)

func (k *Kit) deadline() time.Duration {
	switch {
	case k.Deadline > 0:
		return k.Deadline
	case inBubble():
		return bubbleDeadline
	}
	return defaultDeadline
}

// inBubble tells by the time of day: a testing/synctest bubble begins at the year 2000.
func inBubble() bool { return time.Now().Year() < 2010 }

// mostNamed is how many tasks an error names.
const mostNamed = 20

// tooLate says what is being waited for.
func (k *Kit) tooLate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.late = true
	var b strings.Builder
	fmt.Fprintf(&b, "bgtest: not all has ended within %v", k.deadline())
	for _, at := range sortedKeys(k.handling) {
		fmt.Fprintf(&b, "\n\tthe handler of %s has not returned", k.handling[at])
	}
	left := k.record.all(isPending)
	if len(k.handling)+len(left) == 0 {
		b.WriteString("\n\tno handler is at work and no task is left: it is a response, or the removal of uploaded files")
	}
	for i, e := range left {
		if i == mostNamed {
			fmt.Fprintf(&b, "\n\tand %d tasks more", len(left)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t%s", sentence(e))
	}
	return errors.New(b.String())
}

func sortedKeys[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
