package main

import (
	"strconv"
	"strings"
	"sync"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// acks is what clients have been told, kept and in a ledger.
type acks struct {
	ledger *plan.Ledger
	mu     sync.Mutex
	all    []plan.Request
}

// add notes that the whole of a 2xx answer to q has arrived.
func (a *acks) add(q plan.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ledger.Write("acknowledged", q.ID, q.Tasks)
	a.all = append(a.all, q)
}

func (a *acks) close() { _ = a.ledger.Close() }

// figures are what the comparison of the ledgers shows.
type figures struct {
	acknowledged, expected, accepted, runs int
	named, unsent, beside                  int
	lost, doubled, disordered, wrong       int
	kinds                                  map[string]int // of accepted tasks, by what they do
	early, inTime                          map[string]int // by protocol
}

// A history is what the server's ledger says of a request.
type history struct {
	tasks     map[int]*task
	running   int // position of the task that has started and not ended
	last      int // position of the task that started last
	notNested int
}

type task struct {
	accepted, over, named int
	attempts              int
	returned              int
	end                   string // kind of the event
}

// compare holds the ledgers against each other.
func (s *run) compare() error {
	if err := s.compareTarget(); err != nil {
		return err
	}
	return s.orders.compare()
}

// compareTarget reads the target's ledger and holds the clients' against it.
func (s *run) compareTarget() error {
	s.report.ledger.kinds = make(map[string]int)
	s.report.ledger.early, s.report.ledger.inTime = make(map[string]int), make(map[string]int)
	requests := make(map[string]*history)
	err := plan.ReadLedger(s.ledger, func(words []string) {
		if len(words) < 2 {
			return
		}
		h := requests[words[1]]
		if h == nil {
			h = &history{tasks: make(map[int]*task)}
			requests[words[1]] = h
		}
		s.read(h, words)
	})
	for id, h := range requests {
		s.account(id, h)
	}
	for _, q := range s.acked.all {
		s.acknowledged(q, requests[q.ID])
	}
	return err
}

// read notes a line, and finds tasks that run twice, or before their turn.
func (s *run) read(h *history, words []string) {
	f := &s.report.ledger
	n := 0
	if len(words) > 2 {
		n, _ = strconv.Atoi(words[2])
	}
	at := func() *task {
		if h.tasks[n] == nil {
			h.tasks[n] = new(task)
		}
		return h.tasks[n]
	}
	switch words[0] {
	case plan.Accepted:
		at().accepted++
		if len(words) > 3 {
			s.countKind(words[3])
		}
		f.accepted++
	case plan.Started:
		s.startedTask(h, at(), n, words)
	case plan.Returned:
		at().returned++
		h.running = 0
	case plan.Over:
		at().over++
		at().end = words[3]
	case plan.Named:
		at().named++
		f.named++
	case plan.NotNested:
		h.notNested++
	case plan.Early:
		f.early[words[2]]++
		if words[2] == "HTTP/1.1" {
			s.report.breaks("early: request %s", words[1])
		}
	case plan.InTime:
		f.inTime[words[2]]++
	case plan.Unsent:
		f.unsent++
	case plan.Beside:
		f.beside++
	case plan.Wrong:
		f.wrong++
		s.report.breaks("wrong %s: request %s", words[2], words[1])
	}
}

func (s *run) startedTask(h *history, t *task, position int, words []string) {
	f := &s.report.ledger
	attempt, _ := strconv.Atoi(words[3])
	f.runs++
	t.attempts++
	if attempt != t.attempts {
		f.doubled++
		s.report.breaks("doubled: %v", words)
	}
	if position < h.last || h.running != 0 {
		f.disordered++
		s.report.breaks("out of order: %v while %d was running, after %d", words, h.running, h.last)
	}
	h.last, h.running = position, position
}

// account checks that each accepted task has one end, and is named if it has not ended.
func (s *run) account(id string, h *history) {
	f := &s.report.ledger
	for position, t := range h.tasks {
		switch {
		case t.accepted != 1 || t.over > 1 || t.named > 1:
			f.doubled++
			s.report.breaks("doubled: task %d of %s: %+v", position, id, *t)
		case t.over == 0,
			t.end == "finished" && (t.returned == 0 || t.returned != t.attempts || t.named != 0),
			t.end == "unfinished" && t.named == 0,
			t.end == "forgotten" && t.attempts != 0:
			f.lost++
			s.report.breaks("lost: task %d of %s: %+v", position, id, *t)
		}
	}
}

// acknowledged checks that each task of an acknowledged request has ended, or is named.
func (s *run) acknowledged(q plan.Request, h *history) {
	f := &s.report.ledger
	f.acknowledged++
	f.expected += q.Expected()
	have := 0
	unstarted := 0 // tasks that would have added another
	if h != nil {
		for position, t := range h.tasks {
			if t.named == 1 || t.end == "finished" {
				have++
			}
			if t.named == 1 && position <= len(q.Tasks) && q.Tasks[position-1] == plan.Nest {
				unstarted++
			}
		}
		have += min(strings.Count(q.Tasks, "a"), unstarted+h.notNested)
	}
	if have < q.Expected() {
		f.lost++
		s.report.breaks("lost: %d of %d tasks of the acknowledged request %s (%s)", q.Expected()-have, q.Expected(), q.ID, q.Tasks)
	}
}

// countKind counts an accepted task by its name, which is its letter.
func (s *run) countKind(name string) {
	for _, f := range faults {
		if name == string(rune(f.letter)) {
			name = f.name
		}
	}
	s.report.ledger.kinds[name]++
}
