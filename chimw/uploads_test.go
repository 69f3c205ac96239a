package chimw_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bhUploadEnds are ways in which an upload's handler ends.
var bhUploadEnds = map[string]struct {
	status int
	end    http.HandlerFunc
}{
	"success": {http.StatusNoContent, render.NoContent},
	"error": {http.StatusUnprocessableEntity, func(w http.ResponseWriter, r *http.Request) {
		render.Status(r, http.StatusUnprocessableEntity)
		render.PlainText(w, r, "not an image")
	}},
	"panic": {0, func(http.ResponseWriter, *http.Request) { panic("too many pixels") }},
}

// The control: net/http removes the files of no handler behind a chi router.
func TestWithoutMiddlewareUploadsAreLeftBehind(t *testing.T) {
	files := bhTempFiles(t)
	r := chi.NewRouter()
	r.Post("/", func(w http.ResponseWriter, r *http.Request) {
		bhParse(t, r, files)
		render.NoContent(w, r)
	})
	s := servertest.Start(t, servertest.HTTP1, r)
	require.Equal(t, http.StatusNoContent, bhUpload(t, s, "/"))
	require.NoError(t, s.HTTP.Shutdown(t.Context()))
	assert.Equal(t, 1, files())
}

func TestUploadStaysReadableUntilTheLastTaskHasEnded(t *testing.T) {
	for name, ending := range bhUploadEnds {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				files, site := bhTempFiles(t), bhNewSite(bgtasks.Config{})
				arrived := make(chan struct{})
				site.Post("/", func(w http.ResponseWriter, r *http.Request) {
					header := bhParse(t, r, files)
					bhAdd(t, r.Context(), "wait", bhUntil(arrived))
					bhAdd(t, r.Context(), "read", bhReadImage(t, header))
					bhAdd(t, r.Context(), "queue another", func(ctx context.Context) error {
						return bgtasks.Add(ctx, "read again", bhReadImage(t, header))
					})
					ending.end(w, r)
				})
				assert.Equal(t, ending.status, bhUpload(t, servertest.Start(t, p, site), "/"))
				assert.Equal(t, 1, files())
				close(arrived)
				bhWait(t, site.run)
				assert.EqualValues(t, 4, site.run.Stats().Succeeded)
				bhUntilRemoved(t, files)
			})
		})
	}
}

func TestUploadIsRemovedWhereThereIsNoTask(t *testing.T) {
	for name, ending := range bhUploadEnds {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				files, site := bhTempFiles(t), bhNewSite(bgtasks.Config{})
				site.Post("/", func(w http.ResponseWriter, r *http.Request) {
					bhParse(t, r, files)
					ending.end(w, r)
				})
				assert.Equal(t, ending.status, bhUpload(t, servertest.Start(t, p, site), "/"))
				bhUntilRemoved(t, files)
			})
		})
	}
}

func TestUploadIsRemovedThoughItsTaskFails(t *testing.T) {
	files, site := bhTempFiles(t), bhNewSite(bgtasks.Config{})
	site.Post("/", func(w http.ResponseWriter, r *http.Request) {
		bhParse(t, r, files)
		bhAdd(t, r.Context(), "panics", func(context.Context) error { panic("cannot read it") })
		render.NoContent(w, r)
	})
	bhUpload(t, servertest.Start(t, servertest.HTTP1, site), "/")
	bhWait(t, site.run)
	bhUntilRemoved(t, files)
}

func TestUploadsLastOnTheRouteWhereMiddlewareCopiesTheRequest(t *testing.T) {
	for name, ending := range bhUploadEnds {
		t.Run(name, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				files, site := bhTempFiles(t), bhNewSite(bgtasks.Config{})
				arrived := make(chan struct{})
				r := site.With(middleware.WithValue(bhValueKey{}, "a copy"), chimw.Uploads)
				r.Post("/task", func(w http.ResponseWriter, r *http.Request) {
					header := bhParse(t, r, files)
					bhAdd(t, r.Context(), "wait", bhUntil(arrived))
					bhAdd(t, r.Context(), "read", bhReadImage(t, header))
					ending.end(w, r)
				})
				r.Post("/none", func(w http.ResponseWriter, r *http.Request) {
					bhParse(t, r, files)
					ending.end(w, r)
				})
				s := servertest.Start(t, p, site)
				assert.Equal(t, ending.status, bhUpload(t, s, "/none"))
				bhUntilRemoved(t, files)
				assert.Equal(t, ending.status, bhUpload(t, s, "/task"))
				assert.Equal(t, 1, files())
				close(arrived)
				bhWait(t, site.run)
				assert.EqualValues(t, 2, site.run.Stats().Succeeded)
				bhUntilRemoved(t, files)
			})
		})
	}
}

func TestUploadsWithoutBackgroundTasksRemovesWhenTheHandlerHasReturned(t *testing.T) {
	for name, ending := range bhUploadEnds {
		t.Run(name, func(t *testing.T) {
			files, r := bhTempFiles(t), chi.NewRouter()
			r.With(chimw.Uploads).Post("/", func(w http.ResponseWriter, r *http.Request) {
				assert.NoError(t, bhReadImage(t, bhParse(t, r, files))(r.Context()))
				ending.end(w, r)
			})
			assert.Equal(t, ending.status, bhUpload(t, servertest.Start(t, servertest.HTTP1, r), "/"))
			bhUntilRemoved(t, files)
		})
	}
}

func TestUploadsAndBackgroundTasksOnTheSameRequest(t *testing.T) {
	files, site := bhTempFiles(t), bhNewSite(bgtasks.Config{})
	site.With(chimw.Uploads).Post("/", func(w http.ResponseWriter, r *http.Request) {
		bhAdd(t, r.Context(), "read", bhReadImage(t, bhParse(t, r, files)))
		render.NoContent(w, r)
	})
	bhUpload(t, servertest.Start(t, servertest.HTTP1, site), "/")
	bhWait(t, site.run)
	assert.EqualValues(t, 1, site.run.Stats().Succeeded)
	bhUntilRemoved(t, files)
	assert.Empty(t, site.log.with(slog.LevelError, ""))
}
