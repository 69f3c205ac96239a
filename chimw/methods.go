package chimw

import (
	"net/http"
	"reflect"
	"sync/atomic"
)

// methodSets remembers what writers of the latest type can do: which methods a type has costs
// eight type assertions to find out, and in one place of a program it is nearly always the
// same type.
type methodSets struct{ latest atomic.Pointer[methodSet] }

type methodSet struct {
	of   reflect.Type
	wrap func(*writer) http.ResponseWriter
}

// give returns w with the optional methods that inner has.
func (m *methodSets) give(w *writer, inner http.ResponseWriter) http.ResponseWriter {
	set := m.latest.Load()
	if t := reflect.TypeOf(inner); set == nil || set.of != t {
		set = &methodSet{t, withMethods[methodsOf(inner)]}
		m.latest.Store(set)
	}
	return set.wrap(w)
}
