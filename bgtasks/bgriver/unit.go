package bgriver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/riverqueue/river/rivertype"
)

// kind is the one that River knows of: a unit says itself what it consists of.
const kind = "bgtasks"

// unit is what River stores as the arguments of a job. Its steps are stored with it, so a newer
// version of the program that adds other ones does not disturb the units that are there.
type unit struct {
	Steps []storedStep `json:"steps"`
}

type storedStep struct {
	Task string          `json:"task"`
	Arg  json.RawMessage `json:"arg"`
}

func (unit) Kind() string { return kind }

// String names the unit's steps.
func (u unit) String() string {
	names := make([]string, len(u.Steps))
	for i, s := range u.Steps {
		names[i] = s.Task
	}
	return strings.Join(names, ", ")
}

// recorded is the name under which River records step i as done. Tasks may occur more than once
// in a unit: it is the number that tells them apart.
func (u unit) recorded(i int) string { return strconv.Itoa(i+1) + " " + u.Steps[i].Task }

// metadata is what a job of ours has in River's metadata.
type metadata struct {
	Unit carriage `json:"bgtasks"`
	Done string   `json:"river:resumable_step,omitempty"` // River's: the last step that has been recorded
}

func metadataOf(job *rivertype.JobRow) (metadata, error) {
	var m metadata
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return m, fmt.Errorf("bgriver: metadata of job %d: %w", job.ID, err)
	}
	return m, nil
}

// done is how many steps of u have been recorded.
func (m metadata) done(u unit) (int, error) {
	if m.Done == "" {
		return 0, nil
	}
	for i := range u.Steps {
		if u.recorded(i) == m.Done {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("bgriver: the unit was done up to %q, which is no step of it now: its arguments, or the way in which this package names steps, have been changed since. Cancel the job and add the steps that are missing", m.Done)
}

// newUnit is what is stored for these steps.
func newUnit(steps []Step) (unit, error) {
	u := unit{Steps: make([]storedStep, len(steps))}
	for i, s := range steps {
		arg, err := json.Marshal(s.arg)
		if err != nil {
			return unit{}, fmt.Errorf("bgriver: task %q: JSON can't carry its argument: %w", s.def.name, err)
		}
		u.Steps[i] = storedStep{s.def.name, arg}
	}
	return u, nil
}

// usable refuses what has not been made by Task.With.
func usable(steps []Step) error {
	if len(steps) == 0 {
		return errors.New("bgriver: there is no step to add")
	}
	for i, s := range steps {
		if s.def == nil {
			return fmt.Errorf("bgriver: step %d is empty: a step is made by Task.With", i+1)
		}
		if s.def.err != nil {
			return s.def.fault()
		}
	}
	return nil
}

func (d *definition) fault() error { return fmt.Errorf("bgriver: task %q: %w", d.name, d.err) }
