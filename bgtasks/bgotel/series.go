package bgotel

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// labels are the values of the attributes of one measurement; those that are empty are left
// out, but for the task.
type labels struct{ task, route, result, failure string }

func (l labels) attributes() []attribute.KeyValue {
	attrs := []attribute.KeyValue{keyTask.String(l.task)}
	if l.route != "" {
		attrs = append(attrs, semconv.HTTPRoute(l.route))
	}
	if l.result != "" {
		attrs = append(attrs, keyResult.String(l.result))
	}
	if l.failure != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(l.failure))
	}
	return attrs
}

// A measured set of attributes is ready to be passed on to any instrument.
type measured struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newMeasured(l labels) *measured {
	with := metric.WithAttributeSet(attribute.NewSet(l.attributes()...))
	return &measured{[]metric.AddOption{with}, []metric.RecordOption{with}}
}

// series keeps the sets of attributes, as to make one costs more than to count with it. Like
// names it is read without a lock. mostSeries is as many as the SDK keeps for one instrument
// by default; beyond, sets are made for each use.
type series struct {
	tasks, routes, failures *names

	mu    sync.Mutex
	known atomic.Pointer[map[labels]*measured]
}

const mostSeries = 2000

func newSeries(maxNames int) *series {
	s := &series{tasks: newNames(maxNames), routes: newNames(maxNames), failures: newNames(maxNames)}
	s.known.Store(new(map[labels]*measured))
	return s
}

func (s *series) of(l labels) *measured {
	l.task = s.tasks.limit(l.task)
	if l.route != "" {
		l.route = s.routes.limit(l.route)
	}
	if l.failure != "" {
		l.failure = s.failures.limit(l.failure)
	}
	if m := (*s.known.Load())[l]; m != nil {
		return m
	}
	return s.enter(l)
}

func (s *series) enter(l labels) *measured {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := *s.known.Load()
	m := known[l]
	if m == nil {
		m = newMeasured(l)
		if len(known) < mostSeries {
			more := make(map[labels]*measured, len(known)+1)
			maps.Copy(more, known)
			more[l] = m
			s.known.Store(&more)
		}
	}
	return m
}
