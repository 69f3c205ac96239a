package main

import (
	"context"
	"database/sql"
	"net/http"
)

func insertImage(ctx context.Context, tx Tx, image *Image) error {
	return tx.QueryRow(ctx, `INSERT INTO images (name, user_id, uploaded_at, state) VALUES ($1, $2, $3, $4) RETURNING id`,
		image.Name, image.UserID, stamp(image.UploadedAt), image.State).Scan(&image.ID)
}

// ImageProcessed records whether there is a thumbnail.
func (s *Store) ImageProcessed(ctx context.Context, id int64, failure error) error {
	state, text := ended("ready", failure)
	_, err := s.write.ExecContext(ctx, `UPDATE images SET state = $1, error = $2 WHERE id = $3`, state, text, id)
	return err
}

// Images returns the latest ones.
func (s *Store) Images(ctx context.Context, most int) ([]Image, error) {
	return query(ctx, s.read, scanImage, selectImages+` ORDER BY id DESC LIMIT $1`, most)
}

// Image returns the one of that number.
func (s *Store) Image(ctx context.Context, id int64) (Image, error) {
	image, err := one(ctx, s.read, scanImage, selectImages+` WHERE id = $1`, id)
	return image, orNotFound(err, errNoImage)
}

var errNoImage = problem(http.StatusNotFound, "no such image")

const selectImages = `SELECT id, name, user_id, uploaded_at, state, coalesce(error, '') FROM images`

func scanImage(rows *sql.Rows) (i Image, err error) {
	var at string
	if err = rows.Scan(&i.ID, &i.Name, &i.UserID, &at, &i.State, &i.Error); err == nil {
		i.UploadedAt, err = parseStamp(at)
	}
	return i, err
}
