package chimw

import (
	"io"
	"net"
	"os"
	"sync/atomic"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// calls tells whether a handler is inside a write of its response, and whether that write
// gets on. A client that does not read leaves a handler stuck in one, for ever by net/http's
// defaults; one that reads slowly does not.
type calls struct {
	count atomic.Uint64           // low half: writes under way; high half: steps done
	file  atomic.Pointer[os.File] // that is being sent
}

const step = 1 << 32

func (c *calls) enter() *calls {
	c.count.Add(1)
	return c
}

func (c *calls) leave() { c.count.Add(step - 1) }

func (w *writer) progress() (progress uint64, writing bool) {
	n := w.calls.count.Load()
	if f := w.calls.file.Load(); f != nil {
		if at, err := f.Seek(0, io.SeekCurrent); err == nil { // sendfile moves it
			return n + uint64(at), true
		}
	}
	return n, n%step > 0
}

// readFrom sends a whole body in one call, which may take long though all is well.
func (w *writer) readFrom(src io.Reader) (int64, error) {
	if w.late() {
		return 0, bgtasks.ErrResponseSent
	}
	defer w.calls.enter().leave()
	if f := fileIn(src); f != nil {
		w.calls.file.Store(f)
		defer w.calls.file.Store(nil)
	} else if !special(src) {
		src = counted{src, &w.calls}
	}
	n, err := w.inner.(io.ReaderFrom).ReadFrom(src)
	return n, w.wrote(n, err)
}

func fileIn(src io.Reader) *os.File {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	f, _ := src.(*os.File)
	return f
}

// special reports that how src is sent depends on its type (splice, WriterTo), so that it
// must be passed on as it is.
func special(src io.Reader) bool {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	switch src.(type) {
	case net.Conn, io.WriterTo:
		return true
	}
	return false
}

// counted counts each Read as a step.
type counted struct {
	io.Reader
	calls *calls
}

func (r counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.calls.count.Add(step)
	return n, err
}
