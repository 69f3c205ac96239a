package chimw

import (
	"io"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// calls tells whether a handler is inside a write of its response, and whether that write
// gets on. A client that does not read leaves a handler stuck in one, for ever by net/http's
// defaults; one that reads slowly does not. A single Write is one step, however large.
type calls struct {
	count atomic.Uint64             // low half: writes under way; high half: steps done
	file  atomic.Pointer[io.Seeker] // that is being sent
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
		if at, err := (*f).Seek(0, io.SeekCurrent); err == nil { // sendfile moves it
			return n + uint64(at), true
		}
	}
	return n, n%step > 0
}

// readFrom sends a whole body in one call, which may take long though all is well: it is
// stuck only if it is known not to get on, which is not known where src is special.
func (w *writer) readFrom(src io.Reader) (int64, error) {
	if w.late() {
		return 0, bgtasks.ErrResponseSent
	}
	if file := fileIn(src); file != nil {
		w.calls.file.Store(&file)
		defer w.calls.file.Store(nil)
		defer w.calls.enter().leave()
	} else if !special(src) {
		src = counted{src, &w.calls}
		defer w.calls.enter().leave()
	}
	n, err := w.inner.(io.ReaderFrom).ReadFrom(src)
	return n, w.wrote(n, err)
}

// fileIn returns the file that src is, by the marks by which package net knows one that it
// can send with sendfile, if it is one with a position.
func fileIn(src io.Reader) io.Seeker {
	file, ok := unlimited(src).(interface {
		fs.File
		io.Seeker
		syscall.Conn
	})
	if !ok {
		return nil
	}
	if _, err := file.Seek(0, io.SeekCurrent); err != nil { // a pipe
		return nil
	}
	return file
}

// special reports that how src is sent depends on its type (splice, WriterTo), so that it
// must be passed on as it is.
func special(src io.Reader) bool {
	if _, ok := src.(io.WriterTo); ok {
		return true
	}
	_, ok := unlimited(src).(net.Conn)
	return ok
}

func unlimited(src io.Reader) io.Reader {
	if limited, ok := src.(*io.LimitedReader); ok {
		return limited.R
	}
	return src
}

// counted counts each Read as a step, during which nothing is being written.
type counted struct {
	io.Reader
	calls *calls
}

func (r counted) Read(p []byte) (int, error) {
	r.calls.leave()
	defer r.calls.enter()
	return r.Reader.Read(p)
}
