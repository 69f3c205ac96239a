package bgtasks_test

import "github.com/chi-bgtasks/chi-bgtasks/bgtasks"

// modelSnapshot is what a Snapshot counts.
type modelSnapshot struct {
	closing                                             bool
	lists                                               int
	handling, sending, queued, behind, running, givenUp int
}

func counted(s bgtasks.Snapshot) modelSnapshot {
	return modelSnapshot{s.Closing, s.Lists, s.Handling.Count, s.Sending.Count, s.Queued.Count,
		s.Behind.Count, s.Running.Count, s.GivenUp.Count}
}

func (m *model) snapshot() modelSnapshot {
	s := modelSnapshot{closing: m.closing}
	for _, l := range m.lists {
		if l.entry == 0 {
			continue
		}
		s.lists++
		waiting := map[modelPhase]*int{
			modelOpen: &s.handling, modelHeld: &s.sending, modelWaiting: &s.queued, modelRunning: &s.behind,
		}[l.phase]
		*waiting += len(l.queue)
		switch t := l.current; {
		case t == nil:
		case t.named:
			s.givenUp++
		default:
			s.running++
		}
	}
	return s
}
