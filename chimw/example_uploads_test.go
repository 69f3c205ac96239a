package chimw_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

// RequestID, further in than BackgroundTasks, copies the request: so Uploads goes last.
func ExampleUploads() {
	runner := bgtasks.New(bgtasks.Config{})
	var sizes []string
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner), middleware.RequestID)
	r.With(chimw.Uploads).Post("/images", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil { // next to nothing in memory
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		images := r.MultipartForm.File["image"]
		if len(images) != 1 {
			http.Error(w, "there must be one image", http.StatusUnprocessableEntity)
			return
		}
		image := images[0]
		_ = bgtasks.Add(r.Context(), "measure", func(context.Context) error {
			file, err := image.Open()
			if err != nil {
				return err
			}
			defer file.Close()
			content, err := io.ReadAll(file)
			sizes = append(sizes, fmt.Sprint(image.Filename, " has ", len(content), " bytes"))
			return err
		})
		render.PlainText(w, r, "received")
	})

	res := httptest.NewRecorder()
	r.ServeHTTP(res, imageUpload("cat.raw", make([]byte, 5000)))
	fmt.Println(res.Body)
	_ = runner.Wait(context.Background())
	fmt.Println(sizes)
	// Output:
	// received
	// [cat.raw has 5000 bytes]
}

func imageUpload(name string, content []byte) *http.Request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, _ := form.CreateFormFile("image", name)
	_, _ = part.Write(content)
	_ = form.Close()
	req := httptest.NewRequest(http.MethodPost, "/images", &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	return req
}
