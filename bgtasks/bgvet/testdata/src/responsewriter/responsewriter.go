package responsewriter

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

func direct(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := w.Write([]byte("late")) // want `w belongs to a response that has been sent when this task runs: what is written to it reaches no client`
		return err
	})
}

func headers(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		w.Header().Set("X-Late", "1") // want `w belongs to a response`
		return nil
	})
}

func handedToOthers(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Fprintln(w, "late")    // want `w belongs to a response`
		http.Error(w, "late", 500) // want `w belongs to a response`
		return nil
	})
}

func rendered(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		render.JSON(w, r, "late") // want `w belongs to a response` `r is handed on`
		return nil
	})
}

func asserted(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		if ok {
			flusher.Flush() // want `flusher belongs to a response`
		}
		return nil
	})
}

func wrappedInEncoders(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	buffered := bufio.NewWriter(w)
	both := io.MultiWriter(io.Discard, w)
	control := http.NewResponseController(w)
	write := w.Write
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_ = enc.Encode("late")          // want `enc belongs to a response`
		_ = buffered.Flush()            // want `buffered belongs to a response`
		_, _ = io.WriteString(both, "") // want `both belongs to a response`
		_ = control.Flush()             // want `control belongs to a response`
		_, err := write(nil)            // want `write belongs to a response`
		return err
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func wrapped(w http.ResponseWriter, r *http.Request) {
	sw := &statusWriter{ResponseWriter: w}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		sw.WriteHeader(500) // want `sw belongs to a response`
		return nil
	})
}

type job struct {
	w    http.ResponseWriter
	name string
}

func (j *job) run(ctx context.Context) error {
	_, err := j.w.Write([]byte(j.name)) // want `j.w belongs to a response`
	return err
}

func field(w http.ResponseWriter, r *http.Request) {
	j := &job{w: w, name: "n"}
	_ = bgtasks.Add(r.Context(), "task", j.run)
}

func bindsIt(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(answer, w)) // want `w belongs to a response`
}

func answer(ctx context.Context, w http.ResponseWriter) error {
	w.WriteHeader(200)
	return nil
}

func throughAFunction(w http.ResponseWriter, r *http.Request) {
	fail := func(err error) { http.Error(w, err.Error(), 500) }
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fail(nil) // want `w belongs to a response .* \(fail uses it\)`
		return nil
	})
}

// Near misses.

func copies(w http.ResponseWriter, r *http.Request) {
	kind := w.Header().Get("Content-Type")
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(kind)
		return nil
	})
	w.WriteHeader(202)
}

func recorder(w http.ResponseWriter, r *http.Request) {
	var rec http.ResponseWriter = httptest.NewRecorder()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		rec.WriteHeader(200)
		w := httptest.NewRecorder()
		_, err := w.WriteString("mine")
		return err
	})
}

func handlerInATask(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(204)
		}))
		srv.Close()
		return nil
	})
}

func whatWasSent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		sw := &statusWriter{ResponseWriter: w}
		_ = bgtasks.Add(r.Context(), "access log", func(ctx context.Context) error {
			fmt.Println(ww.Status(), ww.BytesWritten(), sw.status)
			return nil
		})
		next.ServeHTTP(ww, r)
	})
}

func comparedOnly(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_ = w
		if w == nil {
			return nil
		}
		return nil
	})
}

func notATask(w http.ResponseWriter, r *http.Request) {
	run := func(ctx context.Context) error {
		w.WriteHeader(200)
		return nil
	}
	_ = run(r.Context())
}

type node struct{ kids []*node }

// Two functions that call each other, as of a visitor, have no end.
func callEachOther(w http.ResponseWriter, r *http.Request) {
	var visit, children func(*node)
	visit = func(n *node) { children(n) }
	children = func(n *node) {
		for _, kid := range n.kids {
			visit(kid)
		}
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		visit(new(node))
		return nil
	})
}

func callEachOtherAndWrite(w http.ResponseWriter, r *http.Request) {
	var even, odd func(n int)
	even = func(n int) { odd(n - 1) } // want `w belongs to a response`
	odd = func(n int) {
		w.WriteHeader(n)
		even(n - 1)
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		odd(3) // want `w belongs to a response`
		even(4)
		return nil
	})
}
