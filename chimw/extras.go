package chimw

import (
	"io"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
)

// extra is what few requests need of an exchange: it is made when it is.
type extra struct {
	file    atomic.Pointer[io.Seeker] // that is being sent: see calls
	stream  streamEnd
	uploads uploads
	outer   *chi.Context // chi's, where separate has put ours in its place
}

// extras makes one extra; any goroutine may ask.
type extras struct{ made atomic.Pointer[extra] }

func (e *extras) get() *extra {
	if made := e.made.Load(); made != nil {
		return made
	}
	e.made.CompareAndSwap(nil, new(extra))
	return e.made.Load()
}
