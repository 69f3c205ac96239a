package bgtest_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// uploading is an app that stores the name of the uploaded file's temporary file, and reads
// that file in a task.
func uploading(run *bgtasks.Runner, name *string) http.Handler {
	return app(run, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseMultipartForm(1) // so that a small file is stored as well
		file, _, err := r.FormFile("image")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		*name = file.(*os.File).Name()
		_ = bgtasks.Add(r.Context(), "scale", func(context.Context) error {
			_, err := os.Stat(*name)
			return err
		})
	})
}

func upload(t *testing.T) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("image", "image.png")
	require.NoError(t, err)
	_, err = part.Write(make([]byte, 1<<10))
	assert.NoError(t, err)
	assert.NoError(t, form.Close())
	req := httptest.NewRequest(http.MethodPost, "/orders/7", &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	return req
}
