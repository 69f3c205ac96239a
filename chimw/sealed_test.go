package chimw_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreign is what no client must see.
const foreign = "FOREIGN BYTES OF A TASK"

// A lateUse is one thing that a task can do to the response that its handler answered with.
type lateUse struct {
	name  string
	do    func(w http.ResponseWriter, r *http.Request) error
	fails bool // has an error to return
	mute  bool // cannot be noticed
	http1 bool // where the connection is one request's
	http2 bool // where there are streams
}

var lateUses = []lateUse{
	{name: "Write", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		n, err := w.Write([]byte(foreign))
		return errors.Join(err, wrote(int64(n)))
	}},
	{name: "WriteString", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		n, err := io.WriteString(w, foreign)
		return errors.Join(err, wrote(int64(n)))
	}},
	{name: "Copy", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(foreign)})
		return errors.Join(err, wrote(n))
	}},
	{name: "ReadFrom", fails: true, http1: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(foreign))
		return errors.Join(err, wrote(n))
	}},
	{name: "FlushError", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = w.Write([]byte(foreign))
		return http.NewResponseController(w).Flush()
	}},
	{name: "Flush", do: func(w http.ResponseWriter, _ *http.Request) error {
		w.(http.Flusher).Flush()
		return nil
	}},
	{name: "WriteHeader", do: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)
		return nil
	}},
	{name: "EarlyHints", do: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return nil
	}},
	{name: "Header", mute: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Foreign", foreign)
		w.Header().Set(http.TrailerPrefix+"X-Foreign", foreign)
		return nil
	}},
	{name: "WriteDeadline", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).SetWriteDeadline(time.Now())
	}},
	{name: "ReadDeadline", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).SetReadDeadline(time.Now())
	}},
	{name: "FullDuplex", fails: true, http1: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		return http.NewResponseController(w).EnableFullDuplex()
	}},
	{name: "Hijack", fails: true, http1: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		_, _, err := w.(http.Hijacker).Hijack()
		return err
	}},
	{name: "ControllerHijack", fails: true, http1: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		_, _, err := http.NewResponseController(w).Hijack()
		return err
	}},
	{name: "Push", fails: true, http2: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		return w.(http.Pusher).Push("/plain/1", nil)
	}},
	{name: "Unwrap", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		_, err := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().Write([]byte(foreign))
		return err
	}},
	{name: "UnwrapFlush", fails: true, do: func(w http.ResponseWriter, _ *http.Request) error {
		under := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
		_, _ = under.Write([]byte(foreign))
		return http.NewResponseController(under).Flush()
	}},
	{name: "JSON", do: func(w http.ResponseWriter, r *http.Request) error {
		render.Status(r, http.StatusTeapot)
		render.JSON(w, r, foreign)
		return nil
	}},
	{name: "Error", do: func(w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, foreign, http.StatusTeapot)
		return nil
	}},
}

func wrote(n int64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d bytes written", n)
}

func lateUsesOn(p servertest.Protocol) (uses []lateUse) {
	for _, use := range lateUses {
		if use.http1 && p.HTTP2 || use.http2 && !p.HTTP2 {
			continue
		}
		uses = append(uses, use)
	}
	return uses
}

// useOf is that of request i; every use meets every kind of body.
func useOf(uses []lateUse, i int) lateUse { return uses[i/4%len(uses)] }

// bodyOf is the whole response of request i: long or short.
func bodyOf(i int) string {
	size := 100
	if i%4 >= 2 {
		size = 5000
	}
	head := fmt.Sprintf("response %d ", i)
	return head + strings.Repeat("v", size-len(head))
}

// answer sends the body, flushed or not.
func answer(w http.ResponseWriter, r *http.Request, i int) {
	render.PlainText(w, r, bodyOf(i))
	if i%2 == 1 {
		w.(http.Flusher).Flush()
	}
}

func number(r *http.Request) int {
	i, _ := strconv.Atoi(chi.URLParam(r, "i"))
	return i
}

// lateWriters is a router on which each task of one route misuses its response in the way that
// its number says, while the other route just answers.
func lateWriters(t *testing.T, run *bgtasks.Runner, uses []lateUse, done *atomic.Int64) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(run))
	r.Get("/plain/{i}", func(w http.ResponseWriter, r *http.Request) { answer(w, r, number(r)) })
	r.Get("/late/{i}", func(w http.ResponseWriter, r *http.Request) {
		i := number(r)
		use := useOf(uses, i)
		assert.NoError(t, bgtasks.Add(r.Context(), fmt.Sprintf("%s %d", use.name, i), func(context.Context) error {
			linger(time.Duration(i%8) * 100 * time.Microsecond)
			for range 2 {
				if err := use.do(w, r); use.fails { //bgvet:ignore misuse is what is tested
					assert.ErrorIs(t, err, bgtasks.ErrResponseSent, use.name)
					assert.NotContains(t, fmt.Sprint(err), "bytes written", use.name)
				}
			}
			done.Add(1)
			return nil
		}))
		answer(w, r, i)
	})
	return r
}

// foreignIn says what is wrong with the response to request i, if anything is.
func foreignIn(res *http.Response, body []byte, i int) error {
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", res.StatusCode)
	case len(res.Header["X-Foreign"])+len(res.Trailer) != 0:
		return fmt.Errorf("headers %v, trailers %v", res.Header, res.Trailer)
	case !bytes.Equal(body, []byte(bodyOf(i))):
		return fmt.Errorf("%d bytes: %.200q", len(body), body)
	}
	return nil
}

func TestWhatTasksWriteReachesNoClient(t *testing.T) {
	n := sized(2000, 320)
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			book, uses, done := newLogBook(), lateUsesOn(p), new(atomic.Int64)
			run := bgtasks.New(bgtasks.Config{Logger: slog.New(book)})
			s := servertest.Start(t, p, lateWriters(t, run, uses, done))
			routes := []string{"plain", "late"}
			spread(8, n, func(i int) {
				path := fmt.Sprintf("/%s/%d", routes[i%2], i/2)
				res, body, err := s.Get(t.Context(), path)
				if assert.NoError(t, err) {
					assert.NoError(t, foreignIn(res, body, i/2), path)
				}
			})
			awaitIdle(t, run)
			assert.EqualValues(t, n/2, done.Load())
			book.assertOnceEach(t, uses, n/2)
		})
	}
}

func TestOneTaskIsToldOnceHoweverOftenItWrites(t *testing.T) {
	for _, p := range servertest.Protocols {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			book := newLogBook()
			run := bgtasks.New(bgtasks.Config{Logger: slog.New(book)})
			r := chi.NewRouter()
			r.Use(chimw.BackgroundTasks(run))
			r.Get("/", func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"first", "second"} {
					assert.NoError(t, bgtasks.Add(r.Context(), name, func(context.Context) error {
						for _, use := range lateUsesOn(p) {
							_ = use.do(w, r) //bgvet:ignore misuse is what is tested
						}
						return nil
					}))
				}
				render.PlainText(w, r, "ok")
			})
			s := servertest.Start(t, p, r)
			_, body, err := s.Get(t.Context(), "/")
			require.NoError(t, err)
			awaitIdle(t, run)
			assert.Equal(t, "ok", string(body))
			assert.Equal(t, map[string]int{"first": 1, "second": 1}, book.tasks())
		})
	}
}
