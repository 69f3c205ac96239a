package chimw_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func taskOfNothing(context.Context) error { return nil }

// core is a writer without optional methods.
type core struct{ http.ResponseWriter }

// Writers that nobody wrote: one optional interface alone, all but one, and some more.
func oddWriters(s *spy) map[string]http.ResponseWriter {
	type (
		w  = http.ResponseWriter
		fl = http.Flusher
		fe = errorFlusher
		hj = http.Hijacker
		pu = http.Pusher
		rf = io.ReaderFrom
		sw = io.StringWriter
		cn = closeNotifier
		ct = controls
	)
	c := core{s}
	return map[string]http.ResponseWriter{
		"none": c,
		"Flush alone": struct {
			w
			fl
		}{c, s},
		"FlushError alone": struct {
			w
			fe
		}{c, s},
		"Hijack alone": struct {
			w
			hj
		}{c, s},
		"Push alone": struct {
			w
			pu
		}{c, s},
		"ReadFrom alone": struct {
			w
			rf
		}{c, s},
		"WriteString alone": struct {
			w
			sw
		}{c, s},
		"CloseNotify alone": struct {
			w
			cn
		}{c, s},
		"controls alone": struct {
			w
			ct
		}{c, s},
		"all but Flush": struct {
			w
			fe
			hj
			pu
			rf
			sw
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but FlushError": struct {
			w
			fl
			hj
			pu
			rf
			sw
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but Hijack": struct {
			w
			fl
			fe
			pu
			rf
			sw
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but Push": struct {
			w
			fl
			fe
			hj
			rf
			sw
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but ReadFrom": struct {
			w
			fl
			fe
			hj
			pu
			sw
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but WriteString": struct {
			w
			fl
			fe
			hj
			pu
			rf
			cn
			ct
		}{c, s, s, s, s, s, s, s},
		"all but CloseNotify": struct {
			w
			fl
			fe
			hj
			pu
			rf
			sw
			ct
		}{c, s, s, s, s, s, s, s},
		"all but controls": struct {
			w
			fl
			fe
			hj
			pu
			rf
			sw
			cn
		}{c, s, s, s, s, s, s, s},
		"Flush and FlushError": struct {
			w
			fl
			fe
		}{c, s, s},
		"FlushError and CloseNotify": struct {
			w
			fe
			cn
		}{c, s, s},
		"Hijack and ReadFrom": struct {
			w
			hj
			rf
		}{c, s, s},
		"Flush, Hijack and Push": struct {
			w
			fl
			hj
			pu
		}{c, s, s, s},
		"Push and controls": struct {
			w
			pu
			ct
		}{c, s, s},
		"WriteString and ReadFrom": struct {
			w
			rf
			sw
		}{c, s, s},
		"Flush, CloseNotify and controls": struct {
			w
			fl
			cn
			ct
		}{c, s, s, s},
		"FlushError, Push and WriteString": struct {
			w
			fe
			pu
			sw
		}{c, s, s, s},
		"all": s,
	}
}

func TestMethodsOfOddWritersAreTheSame(t *testing.T) {
	for name, w := range oddWriters(newSpy()) {
		t.Run(name, func(t *testing.T) { requireSameMethods(t, w) })
	}
}

func TestOptionalMethodsReachTheOriginal(t *testing.T) {
	original := newSpy()
	passOn(t, original, func(w http.ResponseWriter) {
		original.calls = nil // asking for CloseNotify in advance is the middleware's right
		w.(http.Flusher).Flush()
		assert.Equal(t, errSpy, w.(errorFlusher).FlushError())
		_, _, err := w.(http.Hijacker).Hijack()
		assert.Equal(t, errSpy, err)
		assert.Equal(t, errSpy, w.(http.Pusher).Push("/style.css", nil))
		assert.Equal(t, errSpy, w.(controls).SetReadDeadline(time.Now()))
		assert.Equal(t, errSpy, w.(controls).SetWriteDeadline(time.Now()))
		assert.Equal(t, errSpy, w.(controls).EnableFullDuplex())
		n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("read "))
		assert.NoError(t, err)
		assert.EqualValues(t, 5, n)
		written, err := w.(io.StringWriter).WriteString("string")
		assert.NoError(t, err)
		assert.Equal(t, 6, written)
	})
	assert.Equal(t, []string{"Flush", "FlushError", "Hijack", "Push", "SetReadDeadline", "SetWriteDeadline",
		"EnableFullDuplex", "ReadFrom", "WriteString"}, original.calls)
	assert.Equal(t, "read string", original.Body.String())
}

// A writer of one's own may have some of the three controls; ResponseController, which is how
// they are used, then finds these and no more.
func TestSingleControlIsFoundByTheController(t *testing.T) {
	original := newSpy()
	passOn(t, writeDeadlineOnly{core{original}, original}, func(w http.ResponseWriter) {
		c := http.NewResponseController(w)
		assert.Equal(t, errSpy, c.SetWriteDeadline(time.Now()))
		assert.ErrorIs(t, c.SetReadDeadline(time.Now()), http.ErrNotSupported)
		assert.ErrorIs(t, c.EnableFullDuplex(), http.ErrNotSupported)
		assert.ErrorIs(t, c.Flush(), http.ErrNotSupported)
	})
}

type writeDeadlineOnly struct {
	core
	spy *spy
}

func (w writeDeadlineOnly) SetWriteDeadline(t time.Time) error { return w.spy.SetWriteDeadline(t) }
