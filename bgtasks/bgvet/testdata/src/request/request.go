package request

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"shop"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
)

func body(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := io.ReadAll(r.Body) // want `r.Body reads the body of a request, which is closed when this task runs: read it in the handler`
		return err
	})
}

func bodyKept(w http.ResponseWriter, r *http.Request) {
	limited := http.MaxBytesReader(w, r.Body, 10)
	dec := json.NewDecoder(r.Body)
	lines := bufio.NewScanner(limited)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		lines.Scan()                // want `lines reads the body of a request`
		return dec.Decode(new(int)) // want `dec reads the body of a request`
	})
}

func form(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(r.FormValue("name"))    // want `r.FormValue finds the body of an answered request closed`
		fmt.Println(r.PostForm.Get("name")) // want `r.PostForm finds the body of an answered request closed`
		_, _, err := r.FormFile("image")    // want `r.FormFile finds the body`
		return err
	})
}

func multipartReader(w http.ResponseWriter, r *http.Request) {
	mr, _ := r.MultipartReader()
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := mr.NextPart() // want `mr reads the body of a request`
		return err
	})
}

func handsOn(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := http.DefaultTransport.RoundTrip(r) // want `r is handed on, but when this task runs its request has been answered`
		return err
	})
}

func clones(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		again := r.Clone(ctx)
		_, err := http.DefaultClient.Do(again) // want `again is handed on`
		return err
	})
}

func helpers(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		return store(r) // want `r is handed to store: r.Body reads the body of a request`
	})
}

func store(r *http.Request) error { return decode(r, new(int)) }

func decode(r *http.Request, v any) error { return json.NewDecoder(r.Body).Decode(v) }

func binds(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(keep, r)) // want `r is what the task gets: req.Body reads the body`
}

func keep(ctx context.Context, req *http.Request) error {
	_, err := io.Copy(io.Discard, req.Body)
	return err
}

type job struct{ req *http.Request }

func (j job) run(context.Context) error {
	_, err := io.Copy(io.Discard, j.req.Body) // want `j.req.Body reads the body`
	return err
}

func method(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", job{req: r}.run)
}

func either(ctx context.Context, r *http.Request) error {
	return bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		_, err := http.DefaultClient.Do(r) // want `r is handed on`
		return err
	})
}

func handsOnEither(w http.ResponseWriter, r *http.Request) {
	own, _ := http.NewRequest("GET", "http://example.com", nil)
	_ = either(r.Context(), own)
	_ = either(r.Context(), r)
}

func fromElsewhere(ctx context.Context, r *http.Request) error {
	return bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		_, err := http.DefaultClient.Do(r) // want `r is handed on`
		return err
	})
}

var hook = fromElsewhere

func callsWhatOthersCall(ctx context.Context) {
	own, _ := http.NewRequest("GET", "http://example.com", nil)
	_ = fromElsewhere(ctx, own)
}

func NotCalledHere(ctx context.Context, r *http.Request) error {
	r = r.WithContext(ctx)
	return bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		_, err := http.DefaultClient.Do(r) // want `r is handed on`
		return err
	})
}

// Near misses.

func safeFields(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("X"), r.Host, r.RemoteAddr, r.UserAgent(), r.PathValue("id"))
		slog.InfoContext(ctx, "seen", "id", chi.URLParam(r, "id"))
		_, err := r.Cookie("session")
		return err
	})
}

func readBefore(w http.ResponseWriter, r *http.Request) {
	content, _ := io.ReadAll(r.Body)
	name := r.FormValue("name")
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(len(content), name)
		return nil
	})
}

func parsedBefore(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		return
	}
	image := r.MultipartForm.File["image"][0]
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(r.FormValue("name"), r.Form, len(r.MultipartForm.File))
		f, err := image.Open()
		if err != nil {
			return err
		}
		return f.Close()
	})
}

func parsedByHelper(w http.ResponseWriter, r *http.Request) {
	check(r)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(r.FormValue("name"))
		return nil
	})
}

func check(r *http.Request) { _ = r.ParseForm() }

func file(w http.ResponseWriter, r *http.Request) {
	f, header, err := r.FormFile("image")
	if err != nil {
		return
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		defer f.Close()
		return save(f, header)
	})
}

func save(f multipart.File, h *multipart.FileHeader) error { return nil }

func replacedBody(w http.ResponseWriter, r *http.Request) {
	content, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(content))
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	})
}

func mirror(w http.ResponseWriter, r *http.Request) {
	content, _ := io.ReadAll(r.Body)
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		out := r.Clone(ctx)
		out.Body = io.NopCloser(bytes.NewReader(content))
		_, err := http.DefaultClient.Do(out)
		return err
	})
}

func ofItsOwn(w http.ResponseWriter, r *http.Request) {
	call, err := http.NewRequest("POST", "http://example.com", nil)
	if err != nil {
		return
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://example.com", nil)
		if err != nil {
			return err
		}
		if _, err := http.DefaultClient.Do(req); err != nil {
			return err
		}
		_, err = http.DefaultClient.Do(call)
		return err
	})
}

func safeHelper(w http.ResponseWriter, r *http.Request) {
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(address(r))
		return nil
	})
}

func address(r *http.Request) string { return r.Header.Get("X-Forwarded-For") + r.RemoteAddr }

type outgoing struct{ call *http.Request }

func (o outgoing) send(ctx context.Context) error {
	_, err := http.DefaultClient.Do(o.call.WithContext(ctx))
	return err
}

func sends(w http.ResponseWriter, r *http.Request) {
	call, _ := http.NewRequest("GET", "http://example.com", nil)
	_ = bgtasks.Add(r.Context(), "task", outgoing{call: call}.send)
}

func limits(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, io.ReadCloser, int64) {
	return w, r.Body, 10
}

// The results of one call are all three arguments.
func limitedByOneCall(w http.ResponseWriter, r *http.Request) {
	limited := http.MaxBytesReader(limits(w, r))
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		_, err := io.ReadAll(limited)
		return err
	})
}

// An order has been read: only what the standard library makes is known to read on.
func newFromBody(w http.ResponseWriter, r *http.Request) {
	order, err := shop.NewOrder(r.Body)
	if err != nil {
		return
	}
	sum, err := NewSum(r.Body)
	if err != nil {
		return
	}
	_ = bgtasks.Add(r.Context(), "task", func(ctx context.Context) error {
		fmt.Println(order.ID, sum)
		return nil
	})
	_ = bgtasks.Add(r.Context(), "task", bgtasks.Bind(take, order))
}

func NewSum(r io.Reader) (string, error) { return "", nil }

func take(ctx context.Context, order shop.Order) error { return nil }

type client struct{ http *http.Client }

func (c *client) later(ctx context.Context, out *http.Request) error {
	out = out.WithContext(ctx)
	return bgtasks.Add(ctx, "task", func(ctx context.Context) error {
		_, err := c.http.Do(out.WithContext(ctx))
		return err
	})
}

// A request that all callers have made themselves is one to be sent.
func sendsLater(w http.ResponseWriter, r *http.Request, c *client) {
	out, err := http.NewRequest("POST", "http://example.com", nil)
	if err != nil {
		return
	}
	_ = c.later(r.Context(), out)
	_ = sendsOn(r.Context(), c, out.Clone(r.Context()))
}

func sendsOn(ctx context.Context, c *client, out *http.Request) error { return c.later(ctx, out) }
