package main

import (
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

// An uploaded image is answered at once, then written to a log file, made into a thumbnail and
// announced by webhook. The tasks read the upload itself: its temporary file stays until the
// last of them has ended, and is gone then.

// maxUpload is the largest request with an image.
const maxUpload = 10 << 20

// Image as it is stored.
type Image struct {
	ID         int64     `json:"image_id"`
	Name       string    `json:"name"`
	UserID     int64     `json:"user_id"`
	UploadedAt time.Time `json:"uploaded_at"`
	State      string    `json:"status"` // processing, ready or failed
	Error      string    `json:"error,omitempty"`
}

func (a *api) uploadImage(w http.ResponseWriter, r *http.Request) {
	file, err := formFile(r, "image")
	if err != nil {
		fail(w, r, err)
		return
	}
	image := Image{Name: file.Filename, UploadedAt: time.Now().UTC(), State: "processing"}
	if image.UserID, err = strconv.ParseInt(r.PostFormValue("user_id"), 10, 64); err != nil {
		fail(w, r, unprocessable("user_id is not a number"))
		return
	}
	if image.Name == "" || len(image.Name) > maxText || !isText(image.Name) {
		fail(w, r, unprocessable("the file's name is missing, too long or no text"))
		return
	}
	err = a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		err := insertImage(ctx, tx, &image)
		return a.processImage(image, file), err
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/images/%d", image.ID))
	render.Status(r, http.StatusAccepted)
	render.JSON(w, r, map[string]any{"image_id": image.ID, "message": "Image uploaded", "status": image.State})
}

// formFile is the one file of that name. Files are kept on disk, however small: memory is for
// requests, not for what waits for its tasks.
func formFile(r *http.Request, name string) (*multipart.FileHeader, error) {
	switch err := r.ParseMultipartForm(0); {
	case tooLarge(err):
		return nil, problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the upload is larger than %d bytes", maxUpload))
	case errors.Is(err, http.ErrNotMultipart):
		return nil, problem(http.StatusUnsupportedMediaType, "the content type must be multipart/form-data")
	case err != nil:
		return nil, problem(http.StatusBadRequest, "the form is incomplete or malformed")
	}
	files := r.MultipartForm.File[name]
	if len(files) != 1 {
		return nil, unprocessable("there must be one file, named %s", name)
	}
	return files[0], nil
}

func (a *api) processImage(image Image, file *multipart.FileHeader) []followUp {
	return []followUp{
		{"log upload", bgtasks.Bind(logUpload, uploadLog{filepath.Join(a.dir, "uploads.log"), image}), nil},
		{"make thumbnail", bgtasks.Bind(makeThumbnail, thumbnail{file, a.thumbnailFile(image.ID)}), []bgtasks.Option{
			bgtasks.Timeout(time.Minute),
			recordEnd(func(ctx context.Context, failure error) error {
				return a.store.ImageProcessed(ctx, image.ID, failure)
			}),
		}},
		{"announce image", bgtasks.Bind(announceImage, announcement{a.webhook, image}), []bgtasks.Option{
			bgtasks.Needs("make thumbnail"),
			bgtasks.Timeout(a.workflow.webhookTimeout),
		}},
	}
}

// thumbnailFile is named by us: an upload's own name is never a path here.
func (a *api) thumbnailFile(id int64) string {
	return filepath.Join(a.dir, "thumbnails", fmt.Sprintf("%d.png", id))
}

type uploadLog struct {
	File  string
	Image Image
}

// logUpload appends a line to a file. The quotes keep an upload's name within its line.
func logUpload(_ context.Context, in uploadLog) error {
	f, err := os.OpenFile(in.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s image %d uploaded by user %d: %q\n", stamp(in.Image.UploadedAt), in.Image.ID, in.Image.UserID, in.Image.Name)
	return errors.Join(err, f.Close())
}

type announcement struct {
	Webhook *Webhook
	Image   Image
}

func announceImage(ctx context.Context, in announcement) error {
	return in.Webhook.Post(ctx, map[string]any{
		"event":    "image_uploaded",
		"image_id": in.Image.ID,
		"user_id":  in.Image.UserID,
		"name":     in.Image.Name,
	})
}

func (a *api) listImages(w http.ResponseWriter, r *http.Request) {
	images, err := a.store.Images(r.Context(), latest)
	answer(w, r, images, err)
}

func (a *api) getImage(w http.ResponseWriter, r *http.Request) {
	image, err := a.image(r)
	answer(w, r, image, err)
}

func (a *api) getThumbnail(w http.ResponseWriter, r *http.Request) {
	image, err := a.image(r)
	if err == nil && image.State != "ready" {
		err = problem(http.StatusNotFound, "there is no thumbnail: "+image.State)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFile(w, r, a.thumbnailFile(image.ID))
}

func (a *api) image(r *http.Request) (Image, error) {
	id, err := number(r, errNoImage)
	if err != nil {
		return Image{}, err
	}
	return a.store.Image(r.Context(), id)
}
