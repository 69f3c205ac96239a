package compat_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/render"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A standing stack serves a few routes.
type standing struct {
	t      *testing.T
	stack  stack
	run    *bgtasks.Runner
	log    lockedBuffer
	base   string
	client *http.Client
}

// stand has the stack serve; each route's handler adds a task, with what task returns, before
// it answers.
func stand(t *testing.T, s stack, task func(r *http.Request) bgtasks.Func, routes map[string]http.HandlerFunc) *standing {
	site := &standing{t: t, stack: s}
	site.run = bgtasks.New(bgtasks.Config{Logger: slog.New(slog.NewTextHandler(&site.log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	adding := map[string]http.HandlerFunc{}
	for pattern, answer := range routes {
		adding[pattern] = chimw.Uploads(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, bgtasks.Add(r.Context(), "task", task(r)))
			answer(w, r)
		})).ServeHTTP
	}
	site.base, site.client = s.serve(t, s.router.build(chimw.BackgroundTasks(site.run), adding))
	return site
}

func (s *standing) get(path string) (status int, body string, err error) {
	return read(s.client.Get(s.base + path))
}

func read(res *http.Response, err error) (int, string, error) {
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func (s *standing) wait() { require.NoError(s.t, s.run.Wait(s.t.Context())) }

func onEachStack(t *testing.T, f func(t *testing.T, s stack)) {
	for _, s := range stacks {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			f(t, s)
		})
	}
}

// The client has its responses, one after the other, while no task has ended; each task sees
// its own request.
func TestOnEachStackResponsesDoNotWaitForTasks(t *testing.T) {
	onEachStack(t, func(t *testing.T, s stack) {
		hold, saw := make(chan struct{}), make(chan string, 3)
		site := stand(t, s, func(r *http.Request) bgtasks.Func {
			return func(ctx context.Context) error {
				<-hold
				info, _ := bgtasks.InfoFrom(ctx)
				o, _ := bgtasks.OutcomeFrom(ctx)
				saw <- fmt.Sprint(s.router.param(r), s.router.param(r.WithContext(ctx)), info.Method, info.Route, o.Status) //bgvet:ignore what is left of a request is what is tested
				return ctx.Err()
			}
		}, map[string]http.HandlerFunc{"/items/{id}": func(w http.ResponseWriter, r *http.Request) {
			render.PlainText(w, r, strings.Repeat("item "+s.router.param(r)+" ", 1000))
		}})
		var want, got []string
		for i := range 3 {
			status, body, err := site.get(fmt.Sprint("/items/", i))
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, strings.Repeat(fmt.Sprintf("item %d ", i), 1000), body)
			want = append(want, fmt.Sprint(fmt.Sprint(i), fmt.Sprint(i), "GET", map[bool]string{true: "/items/{id}"}[s.router.route], 200))
		}
		assert.Empty(t, saw)
		close(hold)
		site.wait()
		for range 3 {
			got = append(got, <-saw)
		}
		assert.ElementsMatch(t, want, got)
	})
}

var endings = map[string]http.HandlerFunc{
	"/empty/{id}": func(http.ResponseWriter, *http.Request) {},
	"/none/{id}":  render.NoContent,
	"/error/{id}": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) },
	"/panic/{id}": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"/half/{id}": func(w http.ResponseWriter, r *http.Request) {
		render.PlainText(w, r, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	},
	"/trailer/{id}": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		render.PlainText(w, r, "text")
		w.Header().Set("X-Sum", "4")
	},
}

func TestOnEachStackTasksRunOnceHoweverTheHandlerEnds(t *testing.T) {
	onEachStack(t, func(t *testing.T, s stack) {
		var mu sync.Mutex
		ran := map[string]int{}
		site := stand(t, s, func(r *http.Request) bgtasks.Func {
			path := strings.Clone(r.URL.Path)
			return func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				ran[path]++
				return nil
			}
		}, endings)
		want := map[string]int{}
		for pattern := range endings {
			for i := range 3 {
				path := strings.ReplaceAll(pattern, "{id}", fmt.Sprint(i))
				want[path] = 1
				_, _, err := read(site.client.Post(site.base+path, "text/plain", nil)) // which clients don't repeat
				failing := strings.HasPrefix(path, "/panic") || strings.HasPrefix(path, "/half")
				assert.True(t, failing || err == nil, "%s: %v", path, err)
			}
		}
		site.wait()
		assert.Equal(t, want, ran)
	})
}

func TestOnEachStackNothingRunsWhileTheBodyStreams(t *testing.T) {
	onEachStack(t, func(t *testing.T, s stack) {
		next, ran := make(chan struct{}), make(chan struct{})
		site := stand(t, s, func(*http.Request) bgtasks.Func {
			return func(context.Context) error { close(ran); return nil }
		}, map[string]http.HandlerFunc{"/stream/{id}": func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "part.")
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		}})
		res, err := site.client.Get(site.base + "/stream/1")
		require.NoError(t, err)
		defer res.Body.Close()
		for range 3 {
			part := make([]byte, 5)
			_, err := io.ReadFull(res.Body, part)
			require.NoError(t, err)
			assert.Equal(t, "part.", string(part))
			select {
			case <-ran:
				assert.Fail(t, "a task ran while the body streamed")
			default:
			}
			next <- struct{}{}
		}
		rest, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Empty(t, rest)
		site.wait()
		<-ran
	})
}

func TestOnEachStackTasksRunThoughTheClientHasGone(t *testing.T) {
	onEachStack(t, func(t *testing.T, s stack) {
		ran := make(chan struct{})
		site := stand(t, s, func(*http.Request) bgtasks.Func {
			return func(ctx context.Context) error { close(ran); return ctx.Err() }
		}, map[string]http.HandlerFunc{"/stream/{id}": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.base+"/stream/1", nil)
		require.NoError(t, err)
		res, err := site.client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		_, err = io.ReadFull(res.Body, make([]byte, 5))
		require.NoError(t, err)
		cancel()
		<-ran
		site.wait()
	})
}

func TestOnEachStackCrowdsGetTheirOwn(t *testing.T) {
	const clients, requests = 10, 20
	onEachStack(t, func(t *testing.T, s stack) {
		var mu sync.Mutex
		ran := map[string]int{}
		site := stand(t, s, func(r *http.Request) bgtasks.Func {
			id := strings.Clone(s.router.param(r))
			return func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				ran[id]++
				if got := s.router.param(r); got != id { //bgvet:ignore what is left of a request is what is tested
					return fmt.Errorf("%s reads %s", id, got)
				}
				return nil
			}
		}, map[string]http.HandlerFunc{"/items/{id}": func(w http.ResponseWriter, r *http.Request) {
			render.PlainText(w, r, s.router.param(r))
		}})
		var crowd sync.WaitGroup
		for c := range clients {
			crowd.Go(func() {
				for i := range requests {
					id := fmt.Sprintf("%d-%d", c, i)
					_, body, err := site.get("/items/" + id)
					assert.NoError(t, err)
					assert.Equal(t, id, body)
				}
			})
		}
		crowd.Wait()
		site.wait()
		assert.Len(t, ran, clients*requests)
		assert.EqualValues(t, clients*requests, site.run.Stats().Succeeded, "%s", &site.log.b)
	})
}

func TestOnEachStackUploadsAreReadableUntilTheTaskHasEnded(t *testing.T) {
	onEachStack(t, func(t *testing.T, s stack) {
		var forms []*multipart.Form
		site := stand(t, s, func(r *http.Request) bgtasks.Func {
			assert.NoError(t, r.ParseMultipartForm(1)) // in files
			forms = append(forms, r.MultipartForm)
			return func(context.Context) error {
				text, err := readUpload(r.MultipartForm) //bgvet:ignore what is left of a request is what is tested
				assert.Len(t, text, 1<<20)
				return err
			}
		}, map[string]http.HandlerFunc{"/images/{id}": render.NoContent})
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("image", "a.png")
		require.NoError(t, err)
		_, _ = part.Write(make([]byte, 1<<20))
		require.NoError(t, form.Close())
		res, err := site.client.Post(site.base+"/images/1", form.FormDataContentType(), &body)
		require.NoError(t, err)
		_ = res.Body.Close()
		assert.Equal(t, http.StatusNoContent, res.StatusCode)
		site.wait()
		assert.EqualValues(t, 1, site.run.Stats().Succeeded, "%s", &site.log.b)
		_, err = readUpload(forms[0])
		assert.Error(t, err, "it has been removed")
	})
}

func readUpload(form *multipart.Form) ([]byte, error) {
	f, err := form.File["image"][0].Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// A server that cannot be attached is told of once.
func TestHTTP3ServerIsWarnedOfOnce(t *testing.T) {
	for _, s := range stacks {
		if !strings.Contains(s.name, "HTTP/3") {
			continue
		}
		site := stand(t, s, func(*http.Request) bgtasks.Func {
			return func(context.Context) error { return nil }
		}, map[string]http.HandlerFunc{"/items/{id}": render.NoContent})
		for i := range 5 {
			_, _, err := site.get(fmt.Sprint("/items/", i))
			require.NoError(t, err)
		}
		site.wait()
		assert.Equal(t, 1, site.log.lines(), "%s", &site.log.b)
	}
}

// What only quic-go's writers can do is found where package chimw says.
func TestMethodsOfHTTP3AreFoundInside(t *testing.T) {
	s := stack{"chi, HTTP/3", inChi, overHTTP3}
	site := stand(t, s, func(*http.Request) bgtasks.Func {
		return func(context.Context) error { return nil }
	}, map[string]http.HandlerFunc{"/items/{id}": func(w http.ResponseWriter, r *http.Request) {
		inside := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
		_, streams := inside.(http3.HTTPStreamer)
		assert.True(t, streams)
		<-inside.(http3.Settingser).ReceivedSettings()
		render.PlainText(w, r, "of the client, they have arrived")
	}})
	_, body, err := site.get("/items/1")
	require.NoError(t, err)
	assert.Equal(t, "of the client, they have arrived", body)
	site.wait()
}
