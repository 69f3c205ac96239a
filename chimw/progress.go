package chimw

import (
	"io"
	"io/fs"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// calls tells whether a handler is inside a call of its response writer, and whether that
// gets on. A client that does not read leaves a handler stuck in a write, for ever by
// net/http's defaults; one that reads slowly does not. A single Write is one step, however
// large.
//
// It also keeps calls out once the writer is sealed, and those of tasks that do not wait for
// that (see late.go): the lowest bits say so, then comes the number of calls under way, and the
// high half counts those that have ended.
type calls struct{ atomic.Uint64 }

const (
	sealedBit  = 1
	lateBit    = 2 // the list was started while the handler was inside a call
	resumedBit = 4 // which has ended since
	call       = 8
	step       = 1 << 32
)

// enter is false for a call that is to be kept out. If it is true, leave is called after it.
func (c *calls) enter() bool {
	n := c.Add(call)
	return n&(sealedBit|lateBit) == 0 || c.enterLate(n, false)
}

func (c *calls) leave() {
	if c.Add(step-call)&lateBit != 0 {
		c.Or(resumedBit)
	}
}

func (c *calls) isSealed() bool { return c.Load()&sealedBit != 0 }

// seal lets no more calls in, and reports whether none is under way.
func (c *calls) seal() (empty bool) { return c.Or(sealedBit)%step < call }

func (w *writer) progress() (progress uint64, writing bool) {
	n := w.calls.Load()
	if extra := w.x.extra.made.Load(); extra != nil {
		if f := extra.file.Load(); f != nil {
			if at, err := (*f).Seek(0, io.SeekCurrent); err == nil { // sendfile moves it
				return n + uint64(at), true
			}
		}
	}
	return n, n%step >= call
}

// readFrom sends a whole body in one call, which may take long though all is well: it is
// stuck only if it is known not to get on, which is not known where src is special.
func (w *writer) readFrom(src io.Reader) (int64, error) {
	if !w.enter() {
		return 0, bgtasks.ErrResponseSent
	}
	inner := w.inner.(io.ReaderFrom)
	file := fileIn(src)
	switch {
	case file != nil && (positionTells || w.x.req.TLS != nil): // with TLS it is read and written piece by piece
		sending := &w.x.extra.get().file
		sending.Store(&file)
		defer sending.Store(nil)
		defer w.calls.leave()
	case file != nil, special(src):
		w.calls.leave()
	default:
		src = counted{src, &w.calls}
		defer w.calls.leave()
	}
	n, err := inner.ReadFrom(src)
	return n, w.wrote(n, err)
}

// positionTells says that sendfile moves a file's position as it goes on, and lets it be asked for. Elsewhere package
// internal/poll sets it at the end, and on Windows asking waits for that.
var positionTells = runtime.GOOS == "linux" || runtime.GOOS == "android"

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

func (r counted) Read(p []byte) (n int, err error) {
	r.calls.leave()
	defer func() {
		if r.calls.Add(call)&sealedBit != 0 { // the call goes on, but must write no more
			n, err = 0, bgtasks.ErrResponseSent
		}
	}()
	return r.Reader.Read(p)
}
