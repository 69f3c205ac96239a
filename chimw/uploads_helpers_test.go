package chimw_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var bhImage = strings.Repeat("pixels ", 10_000)

// bhTempFiles makes a directory for the temporary files of this test, and counts them.
func bhTempFiles(t *testing.T) func() int {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func() int {
		files, err := filepath.Glob(filepath.Join(dir, "multipart-*"))
		assert.NoError(t, err)
		return len(files)
	}
}

// bhParse parses the form with next to no memory, so that the file goes to the disk.
func bhParse(t testing.TB, r *http.Request, files func() int) *multipart.FileHeader {
	assert.NoError(t, r.ParseMultipartForm(1))
	assert.Equal(t, 1, files())
	return r.MultipartForm.File["image"][0]
}

// bhReadImage is a task that opens the uploaded file.
func bhReadImage(t testing.TB, header *multipart.FileHeader) bgtasks.Func {
	return func(context.Context) error {
		file, err := header.Open()
		if err != nil {
			return err
		}
		defer file.Close()
		content, err := io.ReadAll(file)
		assert.Equal(t, bhImage, string(content))
		return err
	}
}

// bhUpload posts the image. A handler that panics gives no response.
func bhUpload(t testing.TB, s *servertest.Server, path string) int {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("image", "image.raw")
	require.NoError(t, err)
	_, err = io.WriteString(part, bhImage)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	res, err := s.Client.Post(s.URL+path, form.FormDataContentType(), &body)
	if err != nil {
		return 0
	}
	bhBody(t, res)
	return res.StatusCode
}

// bhUntilRemoved waits until the temporary files have gone: without a task there is
// nothing else to wait for.
func bhUntilRemoved(t testing.TB, files func() int) {
	t.Helper()
	require.Eventually(t, func() bool { return files() == 0 }, bhPatience, time.Millisecond)
}
