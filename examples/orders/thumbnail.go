package main

import (
	"context"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"os"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

const (
	thumbnailSize = 160      // pixels of the longer side
	maxPixels     = 16 << 20 // of an upload: a small file can hold a very large image
)

// decoding bounds how many uploads are in memory as pixels at once.
var decoding = make(chan struct{}, 2)

type thumbnail struct {
	Upload *multipart.FileHeader
	File   string
}

// makeThumbnail writes a small PNG of an upload, as a whole or not at all.
func makeThumbnail(ctx context.Context, in thumbnail) error {
	select {
	case decoding <- struct{}{}:
		defer func() { <-decoding }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	upload, err := in.Upload.Open()
	if err != nil {
		return err
	}
	defer upload.Close()
	large, err := decodeUntil(ctx, upload)
	if err != nil {
		return err
	}
	return writeWhole(in.File, func(w io.Writer) error { return png.Encode(w, shrink(large)) })
}

// decodeUntil is decodeImage until ctx ends, whatever package image makes of that.
func decodeUntil(ctx context.Context, file io.ReadSeeker) (image.Image, error) {
	large, err := decodeImage(until{ctx, file})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return large, err
}

// until is a file that can be read until ctx ends. Decoders know no context, and a small file can
// keep one at work for hours: a JPEG may go over its pixels as often as it likes.
type until struct {
	ctx context.Context
	io.ReadSeeker
}

func (u until) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.ReadSeeker.Read(p)
}

func decodeImage(r io.ReadSeeker) (image.Image, error) {
	about, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, fmt.Errorf("not a GIF, JPEG, PNG or WebP image: %w", err)
	}
	if about.Width < 1 || about.Height < 1 || about.Width > maxPixels/about.Height {
		return nil, fmt.Errorf("an image of %d x %d pixels: at most %d are taken", about.Width, about.Height, maxPixels)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	large, _, err := image.Decode(r)
	return large, err
}

// shrink keeps the proportions, and makes nothing larger than it was.
func shrink(large image.Image) image.Image {
	size := large.Bounds().Size()
	longer := max(size.X, size.Y, thumbnailSize)
	small := image.NewNRGBA(image.Rect(0, 0, max(size.X*thumbnailSize/longer, 1), max(size.Y*thumbnailSize/longer, 1)))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), large, large.Bounds(), draw.Src, nil)
	return small
}

// writeWhole writes a file under another name and renames it: whoever sees it sees all of it.
func writeWhole(name string, write func(io.Writer) error) error {
	part, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }() // not there any more if all went well
	err = write(part)
	if closed := part.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(part.Name(), name)
}
