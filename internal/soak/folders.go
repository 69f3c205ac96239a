package main

import (
	"errors"
	"fmt"
	"image/png"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
)

// What orders has left in its folders.

// temporary looks for temporary files of a process that has ended: there may be those of the
// tasks that it has named.
func (o *orders) temporary(named int) {
	var left []string
	for _, pattern := range []string{o.shop("temp", "*"), o.shop("*", "*.part"), filepath.Join(o.shopTemp(), "*")} {
		files, _ := filepath.Glob(pattern)
		left = append(left, files...)
	}
	if len(left) > named {
		o.report.breaks("orders, life %d: %d temporary files are left, %d tasks are named: %q", o.life, len(left), named, left)
	}
	o.report.leftFiles += len(left)
	for _, file := range left { // not to be found once more
		_ = os.RemoveAll(file)
	}
}

// mails counts the subjects of those in the outbox that are not about orders.
func (o *orders) mails() (map[string]int, error) {
	subjects := make(map[string]int)
	files, err := filepath.Glob(o.shop("outbox", "notice-*.eml"))
	for _, name := range files {
		subject, err := subjectOf(name)
		if err != nil {
			return nil, err
		}
		subjects[subject]++
	}
	return subjects, err
}

func subjectOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return m.Header.Get("Subject"), nil
}

var uploadLine = regexp.MustCompile(`(?m)^\S+ image (\d+) uploaded by user 7: "image-\d+"$`)

// uploadLog counts its lines, by image.
func (o *orders) uploadLog() (map[string]int, error) {
	lines := make(map[string]int)
	data, err := os.ReadFile(o.shop("uploads.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, found := range uploadLine.FindAllSubmatch(data, -1) {
		lines[string(found[1])]++
	}
	return lines, nil
}

func isPNG(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = png.Decode(f)
	return err == nil
}
