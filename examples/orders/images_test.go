package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testPhoto is a JPEG file of 800 x 400 pixels, red on the left and blue on the right.
func testPhoto(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 800, 400))
	for x := range 800 {
		for y := range 400 {
			c := color.RGBA{200, 30, 30, 255}
			if x >= 400 {
				c = color.RGBA{30, 30, 200, 255}
			}
			img.Set(x, y, c)
		}
	}
	file := filepath.Join(t.TempDir(), "photo.jpg")
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, jpeg.Encode(f, img, nil))
	return file
}

// upload posts a file as a form.
func (p *program) upload(name string, content []byte, headers ...string) reply {
	p.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(p.t, form.WriteField("user_id", "7"))
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {mime.FormatMediaType("form-data", map[string]string{"name": "image", "filename": name})},
	})
	require.NoError(p.t, err)
	_, err = part.Write(content)
	require.NoError(p.t, err)
	require.NoError(p.t, form.Close())
	header := http.Header{"Content-Type": {form.FormDataContentType()}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return p.request(http.MethodPost, "/images", header, &body)
}

func (p *program) imageOnce(state string) (image Image) {
	p.t.Helper()
	eventually(p.t, "the image is "+state, func() bool {
		p.get("/images/1", &image)
		return image.State == state
	})
	return image
}

func photo(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(testPhoto(t))
	require.NoError(t, err)
	return data
}

func TestUploadIsLoggedShrunkAndAnnouncedAndItsFileIsGoneThen(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	answer, hold := held()
	hook := startReceiver(t, answer)
	p := startIn(t, []string{"TMPDIR=" + tmp}, "-webhook", hook.url, "-webhook-timeout", "5m")
	got := p.upload("photo.jpg", photo(t))
	got.assertJSON(t, 202, `{"image_id": 1, "message": "Image uploaded", "status": "processing"}`)
	assert.Equal(t, "/images/1", got.header.Get("Location"))

	eventually(t, "the webhook", func() bool { return len(hook.deliveries()) == 1 })
	assert.JSONEq(t, `{"event": "image_uploaded", "image_id": 1, "user_id": 7, "name": "photo.jpg"}`, string(hook.deliveries()[0].body))
	files, err := filepath.Glob(filepath.Join(tmp, "multipart-*"))
	require.NoError(t, err)
	assert.Len(t, files, 1, "the upload, while a task is left")
	close(hold)
	eventually(t, "the upload's file is gone", func() bool {
		files, _ := filepath.Glob(filepath.Join(tmp, "multipart-*"))
		return len(files) == 0
	})

	image := p.imageOnce("ready")
	assert.Empty(t, image.Error)
	assertThumbnail(t, p.request("GET", "/images/1/thumbnail", nil, nil))
	log, err := os.ReadFile(filepath.Join(p.dir, "uploads.log"))
	require.NoError(t, err)
	assert.Regexp(t, `^\S+ image 1 uploaded by user 7: "photo.jpg"\n$`, string(log))
}

// assertThumbnail finds testPhoto's colours on 160 x 80 pixels.
func assertThumbnail(t *testing.T, got reply) {
	t.Helper()
	require.Equal(t, 200, got.status)
	assert.Equal(t, "image/png", got.header.Get("Content-Type"))
	small, err := png.Decode(bytes.NewReader(got.body))
	require.NoError(t, err)
	assert.Equal(t, image.Pt(160, 80), small.Bounds().Size())
	r, _, b, _ := small.At(10, 40).RGBA()
	assert.Greater(t, r, b)
	r, _, b, _ = small.At(150, 40).RGBA()
	assert.Greater(t, b, r)
}

func TestUploadThatIsNoImageFailsOnlyItsThumbnail(t *testing.T) {
	t.Parallel()
	hook := startReceiver(t, nil)
	p := start(t, "-webhook", hook.url)
	assert.Equal(t, 202, p.upload("notes.jpg", []byte("not an image")).status)
	assert.Contains(t, p.imageOnce("failed").Error, "not a GIF, JPEG, PNG or WebP image")
	assertProblem(t, p.request("GET", "/images/1/thumbnail", nil, nil), 404, "failed")
	counts := p.stop()
	assert.EqualValues(t, 1, counts["Succeeded"], "log upload")
	assert.EqualValues(t, 1, counts["Failed"], "make thumbnail")
	assert.EqualValues(t, 1, counts["Skipped"], "announce image")
	assert.Empty(t, hook.deliveries())
	entries, err := os.ReadDir(filepath.Join(p.dir, "thumbnails"))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// A GIF's header is enough to claim any size.
func TestImageThatIsHugeOnceUnpackedIsNotUnpacked(t *testing.T) {
	t.Parallel()
	p := start(t)
	assert.Equal(t, 202, p.upload("bomb.gif", []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00")).status)
	assert.Contains(t, p.imageOnce("failed").Error, "65535 x 65535 pixels")
}

func TestBadUploadLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	p := startIn(t, []string{"TMPDIR=" + tmp})
	assertProblem(t, p.sendJSON("POST", "/images", map[string]any{}), 415, "multipart/form-data")
	assertProblem(t, p.request("POST", "/images", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, strings.NewReader("--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\nx")), 400, "incomplete")
	assertProblem(t, p.upload(strings.Repeat("x", 255), []byte("x")), 422, "name")
	eventually(t, "an answer", func() bool { // before which the connection can be reset, see TestBadOrderLeavesNothingBehind
		header := http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}
		body := "--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n" + strings.Repeat("x", maxUpload)
		got, err := p.try(http.MethodPost, "/images", header, strings.NewReader(body))
		if err == nil {
			assertProblem(t, got, 413, "larger")
		}
		return err == nil
	})
	assert.EqualValues(t, 0, p.stop()["Accepted"])
	assertEmpty(t, tmp)
}

func TestSmallImageIsNotMadeLarger(t *testing.T) {
	assert.Equal(t, image.Pt(3, 2), shrink(image.NewGray(image.Rect(0, 0, 3, 2))).Bounds().Size())
	assert.Equal(t, image.Pt(160, 1), shrink(image.NewGray(image.Rect(0, 0, 10_000, 2))).Bounds().Size())
	assert.Equal(t, image.Pt(80, 160), shrink(image.NewGray(image.Rect(0, 0, 200, 400))).Bounds().Size())
}

// patientPhoto is a JPEG of 512 x 512 pixels which goes over them n times, and says nothing of them.
func patientPhoto(n int) []byte {
	data := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	data = append(data, bytes.Repeat([]byte{1}, 64)...)                  // quantization
	data = append(data, 0xff, 0xc2, 0, 11, 8, 2, 0, 2, 0, 1, 1, 0x11, 0) // a progressive frame of one component
	data = append(data, 0xff, 0xc4, 0, 20, 0x10, 1)                      // a code of one bit: so many blocks are over
	data = append(append(data, make([]byte, 15)...), 0xc0)
	scan := []byte{0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0, 7} // all 4096 of them
	return append(append(data, bytes.Repeat(scan, n)...), 0xff, 0xd9)
}

func TestImageThatKeepsTheDecoderAtWorkEndsWithItsTask(t *testing.T) {
	_, err := decodeUntil(t.Context(), bytes.NewReader(patientPhoto(1)))
	require.NoError(t, err)
	large := bytes.NewReader(patientPhoto(500_000))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("its time is over"))
	defer cancel()
	_, err = decodeUntil(ctx, large)
	require.EqualError(t, err, "its time is over")
	_, err = decodeUntil(ctx, bytes.NewReader(patientPhoto(1)))
	require.EqualError(t, err, "its time is over", "and not that this is no image")
}
