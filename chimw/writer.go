package chimw

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// writer passes the response on, notes what becomes of it, and is sealed when the handler
// has returned.
//
// A late write must not get through: net/http's buffers belong to another response by
// then (HTTP/1.1), or it panics (HTTP/2).
type writer struct {
	x     *exchange
	inner http.ResponseWriter // for those who have entered; nil once sealed, unless a call is under way
	calls calls
	http2 bool

	// These are also read while the handler is stuck in a write.
	status atomic.Int32
	failed atomic.Bool // one write has
	bytes  atomic.Int64

	hijacked bool
}

func (w *writer) init(x *exchange, inner http.ResponseWriter, req *http.Request) {
	w.x, w.inner, w.http2 = x, inner, req.ProtoMajor >= 2
}

func (w *writer) outcome() bgtasks.Outcome {
	return bgtasks.Outcome{Status: int(w.status.Load()), Bytes: w.bytes.Load()}
}

// seal ends the use of inner, which is the server's, and holds on to buffers of its own. It reports
// whether no call is under way.
func (w *writer) seal() (empty bool) {
	if empty = w.calls.seal(); empty {
		w.inner = nil
	}
	return empty
}

// enter begins a call, and is false if it is to be kept out, which it reports. If it is true,
// w.calls.leave is called at the end.
func (w *writer) enter() bool {
	if w.calls.enter() {
		return true
	}
	w.x.list.Report(bgtasks.ErrResponseSent)
	return false
}

// enterBeside is enter for what a handler may do while it is inside a call. If it is true,
// w.calls.leaveBeside is called at the end.
func (w *writer) enterBeside() bool {
	if w.calls.enterBeside() {
		return true
	}
	w.x.list.Report(bgtasks.ErrResponseSent)
	return false
}

// Header of a sealed writer is a new one each time: net/http may still be reading the
// original.
func (w *writer) Header() http.Header {
	if !w.calls.enter() {
		return make(http.Header)
	}
	defer w.calls.leave()
	return w.inner.Header()
}

func (w *writer) WriteHeader(status int) {
	if !w.enter() {
		return
	}
	defer w.calls.leave()
	w.inner.WriteHeader(status)
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.settled(status)
	}
}

// settled notes the status, which is that of the first header.
func (w *writer) settled(status int) { w.status.CompareAndSwap(0, int32(status)) }

func (w *writer) Write(p []byte) (int, error) {
	if !w.enter() {
		return 0, bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	n, err := w.inner.Write(p)
	return n, w.wrote(int64(n), err)
}

// wrote notes the result of a write.
func (w *writer) wrote(n int64, err error) error {
	w.bytes.Add(n)
	w.settled(http.StatusOK)
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength) {
		w.failed.Store(true)
	}
	return err
}

// The methods below are those that the types in methodsets.go have, by their set; each is
// called only where inner has it.

func (w *writer) writeString(s string) (int, error) {
	if !w.enter() {
		return 0, bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	n, err := w.inner.(interface{ WriteString(string) (int, error) }).WriteString(s)
	return n, w.wrote(int64(n), err)
}

func (w *writer) flush() {
	if !w.enter() {
		return
	}
	defer w.calls.leave()
	w.inner.(http.Flusher).Flush()
	w.settled(http.StatusOK)
}

func (w *writer) flushError() error {
	if !w.enter() {
		return bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	err := w.inner.(interface{ FlushError() error }).FlushError()
	w.settled(http.StatusOK)
	return err
}

func (w *writer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.enter() {
		return nil, nil, bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	c, rw, err := w.inner.(http.Hijacker).Hijack()
	w.hijacked = w.hijacked || err == nil
	return c, rw, err
}

func (w *writer) push(target string, opts *http.PushOptions) error {
	if !w.enter() {
		return bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	return w.inner.(http.Pusher).Push(target, opts)
}

// controller is what http.ResponseController looks for beside Flush and Hijack.
type controller interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	EnableFullDuplex() error
}

func (w *writer) setReadDeadline(t time.Time) error {
	if !w.enterBeside() {
		return bgtasks.ErrResponseSent
	}
	defer w.calls.leaveBeside()
	return w.inner.(controller).SetReadDeadline(t)
}

func (w *writer) setWriteDeadline(t time.Time) error {
	if !w.enterBeside() {
		return bgtasks.ErrResponseSent
	}
	defer w.calls.leaveBeside()
	return w.inner.(controller).SetWriteDeadline(t)
}

func (w *writer) enableFullDuplex() error {
	if !w.enter() {
		return bgtasks.ErrResponseSent
	}
	defer w.calls.leave()
	return w.inner.(controller).EnableFullDuplex()
}

// closeNotify hands out a channel of its own on HTTP/2, where the middleware listens too:
// net/http sends one value.
func (w *writer) closeNotify() <-chan bool {
	if !w.enter() {
		return make(chan bool)
	}
	defer w.calls.leave()
	if !w.x.speaksHTTP2(w.inner) {
		return w.inner.(closeNotifier).CloseNotify()
	}
	if end := w.x.watchStream(w.inner); end != nil {
		return end.notify
	}
	return make(chan bool)
}

// w0 is the writer without optional methods, which those in methodsets.go add.
type w0 struct{ *writer }

// Unwrap is for http.ResponseController, and for middleware that looks for its own writer.
func (w w0) Unwrap() http.ResponseWriter {
	if !w.calls.enterBeside() {
		return sealed(w)
	}
	defer w.calls.leaveBeside()
	return w.inner
}

// sealed is what is inside a sealed writer: nothing. Its writer answers every call with
// ErrResponseSent.
type sealed struct{ *writer }

func (w sealed) FlushError() error                            { return w.flushError() }
func (w sealed) Flush()                                       { w.flush() }
func (w sealed) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }
func (w sealed) SetReadDeadline(t time.Time) error            { return w.setReadDeadline(t) }
func (w sealed) SetWriteDeadline(t time.Time) error           { return w.setWriteDeadline(t) }
func (w sealed) EnableFullDuplex() error                      { return w.enableFullDuplex() }

// innermost returns the server's writer, or what comes before one that does not unwrap.
// What a wrapper further out can do says little of it: chi's Compress has Flush and Push
// whatever is inside.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}

// find returns the outermost of w and the writers inside it that is a T.
func find[T any](w http.ResponseWriter) (T, bool) {
	for {
		if t, ok := w.(T); ok {
			return t, true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			var none T
			return none, false
		}
		w = u.Unwrap()
	}
}

//go:generate go run ../internal/methodsets
