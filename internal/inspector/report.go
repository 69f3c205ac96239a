package inspector

import (
	"math"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A Report is all that there is to show, and what a client that asks for JSON is sent. No
// part of it is ever left out; names are those of the log's attributes.
type Report struct {
	Now      time.Time `json:"now"`
	Since    time.Time `json:"since"`
	Server   Attached  `json:"server"`
	Shutdown Shutdown  `json:"shutdown"`
	Counters Counters  `json:"counters"`
	Limits   Limits    `json:"limits"`
	Rates    []Rate    `json:"rates"`
	History  History   `json:"history"`
	Running  Tasks     `json:"running"`
	Waiting  Waiting   `json:"waiting"`
	GivenUp  Tasks     `json:"given_up"` // still running though a shutdown has ended without them
	Failures []Failure `json:"failures"` // the latest first
}

// Attached tells about the server that has sent the report, and about the others.
type Attached struct {
	Attached        bool `json:"attached"`
	UnattachedTasks bool `json:"unattached_tasks"` // have come by a server that is not
}

// A Shutdown has what it waits for, or would if it began now.
type Shutdown struct {
	Begun    bool `json:"begun"`
	Requests int  `json:"requests"`
	Tasks    int  `json:"tasks"`
}

// Counters count tasks since the runner was made.
type Counters struct {
	Accepted   int64 `json:"accepted"`
	Refused    int64 `json:"refused"`
	Succeeded  int64 `json:"succeeded"`
	Failed     int64 `json:"failed"`
	Panicked   int64 `json:"panicked"`
	Skipped    int64 `json:"skipped"`
	Forgotten  int64 `json:"forgotten"`
	Unfinished int64 `json:"unfinished"`
}

// Limits are the runner's, with how much of them is used.
type Limits struct {
	MaxPending  Limit    `json:"max_pending"`
	MaxRunning  Limit    `json:"max_running"`
	TaskTimeout *float64 `json:"task_timeout_seconds"` // null: none
	SendTimeout *float64 `json:"send_timeout_seconds"` // null: none
	StopOnError bool     `json:"stop_on_error"`
}

// A Limit is null where there is none.
type Limit struct {
	Used  int64  `json:"used"`
	Limit *int64 `json:"limit"`
}

// Tasks counts all, and has the oldest.
type Tasks struct {
	Count int    `json:"count"`
	Tasks []Task `json:"oldest"`
}

// Waiting says what tasks wait for.
type Waiting struct {
	Handler  Tasks `json:"handler"`  // to return
	Response Tasks `json:"response"` // to be sent
	Place    Tasks `json:"place"`    // among the lists that run
	Turn     Tasks `json:"turn"`     // another task of their list comes first
}

// A Task is an accepted task.
type Task struct {
	Name      string     `json:"task"`
	Route     string     `json:"route"`
	Method    string     `json:"method"`
	RequestID string     `json:"request_id"`
	List      uint64     `json:"list"`
	Position  int        `json:"position"`
	Attempt   int        `json:"attempt"` // 0: it has not started
	Added     time.Time  `json:"added"`
	Started   *time.Time `json:"started"`
	Waited    float64    `json:"waited_seconds"`  // until now, or the start
	Ran       float64    `json:"running_seconds"` // since then
}

func (i *Inspector) report(server Server, s bgtasks.Snapshot) *Report {
	now, stats := time.Now(), i.runner.Stats()
	tasks := func(t bgtasks.Tasks) Tasks { return tasksOf(t, now) }
	return &Report{
		Now:    now,
		Since:  i.history.since,
		Server: Attached{server.Attached, server.Unattached},
		Shutdown: Shutdown{s.Closing, s.Lists,
			s.Handling.Count + s.Sending.Count + s.Queued.Count + s.Behind.Count + s.Running.Count},
		Counters: Counters{stats.Accepted, stats.Refused, stats.Succeeded, stats.Failed, stats.Panicked,
			stats.Skipped, stats.Forgotten, stats.Unfinished},
		Limits:   limitsOf(s.Config, stats),
		Rates:    []Rate{i.history.rate(10), i.history.rate(60), i.history.rate(historyLength)},
		History:  i.history.read(),
		Running:  tasks(s.Running),
		Waiting:  Waiting{tasks(s.Handling), tasks(s.Sending), tasks(s.Queued), tasks(s.Behind)},
		GivenUp:  tasks(s.GivenUp),
		Failures: i.failures.read(),
	}
}

// over reports that there is nothing more to come.
func (r *Report) over() bool { return r.Shutdown.Begun && r.Shutdown.Requests == 0 }

func limitsOf(c bgtasks.Config, stats bgtasks.Stats) Limits {
	limits := Limits{
		MaxPending:  limitOf(stats.Pending, c.MaxPending),
		MaxRunning:  limitOf(stats.Running, c.MaxRunning),
		StopOnError: c.StopOnError,
	}
	if c.TaskTimeout > 0 {
		limits.TaskTimeout = new(c.TaskTimeout.Seconds())
	}
	if c.SendTimeout < math.MaxInt64 {
		limits.SendTimeout = new(c.SendTimeout.Seconds())
	}
	return limits
}

func limitOf(used int64, limit int) Limit {
	if limit == math.MaxInt {
		return Limit{Used: used}
	}
	return Limit{Used: used, Limit: new(int64(limit))}
}

func tasksOf(tasks bgtasks.Tasks, now time.Time) Tasks {
	shown := Tasks{Count: tasks.Count, Tasks: []Task{}}
	for _, info := range tasks.Oldest {
		shown.Tasks = append(shown.Tasks, taskOf(info, now))
	}
	return shown
}

func taskOf(info bgtasks.Info, now time.Time) Task {
	t := Task{
		Name:      clip(info.Name, mostField),
		Route:     clip(info.Route, mostField),
		Method:    clip(info.Method, mostField),
		RequestID: clip(info.RequestID, mostField),
		List:      info.ID,
		Position:  info.Position,
		Attempt:   info.Attempt,
		Added:     info.Added,
		Waited:    now.Sub(info.Added).Seconds(),
	}
	if started := info.Started; !started.IsZero() {
		t.Started = &started
		t.Waited, t.Ran = started.Sub(info.Added).Seconds(), now.Sub(started).Seconds()
	}
	return t
}
