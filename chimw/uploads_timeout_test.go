package chimw_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/go-chi/render"
	"github.com/stretchr/testify/assert"
)

// bhUploadPlaces are those that http.TimeoutHandler, which copies the request, can have.
var bhUploadPlaces = map[string]func(timeout, ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler{
	"outside": func(timeout, ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler { return timeout(ours(h)) },
	"inside": func(timeout, ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler {
		return ours(timeout(chimw.Uploads(h)))
	},
}

func TestUploadBehindATimeoutHandlerInTime(t *testing.T) {
	for place, build := range bhUploadPlaces {
		t.Run(place, func(t *testing.T) {
			bhEach(t, func(t *testing.T, p servertest.Protocol) {
				files := bhTempFiles(t)
				run, _ := bhRunner(bgtasks.Config{})
				arrived := make(chan struct{})
				h := build(bhTimeoutHandler, chimw.BackgroundTasks(run), func(w http.ResponseWriter, r *http.Request) {
					header := bhParse(t, r, files)
					bhAdd(t, r.Context(), "wait", bhUntil(arrived))
					bhAdd(t, r.Context(), "read", bhReadImage(t, header))
					render.NoContent(w, r)
				})
				assert.Equal(t, http.StatusNoContent, bhUpload(t, servertest.Start(t, p, h), "/"))
				assert.Equal(t, 1, files())
				close(arrived)
				bhWait(t, run)
				assert.EqualValues(t, 2, run.Stats().Succeeded)
				bhUntilRemoved(t, files)
			})
		})
	}
}

func TestUploadParsedByAHandlerThatOutlivesItsTimeout(t *testing.T) {
	for place, build := range bhUploadPlaces {
		for _, media := range []string{"multipart", "Multipart"} { // for clients to choose
			t.Run(place+"/"+media, func(t *testing.T) { uploadOutlivesTimeout(t, media, build) })
		}
	}
}

func uploadOutlivesTimeout(t *testing.T, media string, build func(timeout, ours bhHTTPMiddleware, h http.HandlerFunc) http.Handler) {
	files := bhTempFiles(t)
	run, _ := bhRunner(bgtasks.Config{})
	release, returned := make(chan struct{}), make(chan struct{})
	inner := func(w http.ResponseWriter, r *http.Request) {
		defer close(returned)
		header := bhParse(t, r, files)
		alarm := bhExpire(r)
		<-alarm.answered
		<-release
		assert.NoError(t, bhReadImage(t, header)(r.Context()), "its handler still works on it")
	}
	h := build(bhExpiring(bhTimeoutHandler), chimw.BackgroundTasks(run), inner)
	as := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Content-Type", strings.Replace(r.Header.Get("Content-Type"), "multipart", media, 1))
		h.ServeHTTP(w, r)
	})
	assert.Equal(t, http.StatusServiceUnavailable, bhUpload(t, servertest.Start(t, servertest.HTTP1, as), "/"))
	close(release)
	bhReceive(t, returned, "the handler")
	bhUntilRemoved(t, files)
}
