package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"time"
)

func anOrder() map[string]any {
	return map[string]any{
		"customer_id": "c-1",
		"email":       "you@example.com",
		"items":       []map[string]any{{"id": "apple", "quantity": 2}},
	}
}

func (t *tour) order() error {
	got, _, err := t.sendJSON("demo-order", "POST", "/orders", anOrder(), http.StatusCreated)
	if err != nil {
		return err
	}
	return t.tasks("demo-order", got, "validate order succeeded", "update inventory succeeded",
		"send confirmation succeeded", "notify fulfilment succeeded", "write audit succeeded")
}

func (t *tour) failingOrder() error {
	got, _, err := t.sendJSON("demo-failing", "POST", "/orders", anOrder(), http.StatusCreated, "X-Fault", "update inventory=panic")
	if err != nil {
		return err
	}
	return t.tasks("demo-failing", got, "validate order succeeded", "update inventory failed",
		"send confirmation skipped", "notify fulfilment skipped", "write audit succeeded")
}

func (t *tour) upload() error {
	body, kind, err := anUpload()
	if err != nil {
		return err
	}
	got, err := t.send("demo-upload", "POST", "/images", body, "Content-Type", kind)
	if err != nil {
		return err
	}
	object, err := got.object(http.StatusAccepted)
	if err != nil {
		return err
	}
	if err := t.tasks("demo-upload", got, "log upload succeeded", "make thumbnail succeeded", "announce image succeeded"); err != nil {
		return err
	}
	thumbnail, err := t.send("", "GET", fmt.Sprintf("/images/%v/thumbnail", object["image_id"]), nil)
	if err != nil {
		return err
	}
	if small, err := png.Decode(bytes.NewReader(thumbnail.body)); err != nil || small.Bounds().Dx() != 160 {
		t.wrong("there is no thumbnail of 160 pixels: %d, %v", thumbnail.status, err)
	}
	return t.cleanedUp()
}

// anUpload is a form with a picture.
func anUpload() (body []byte, kind string, err error) {
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	part, err := form.CreateFormFile("image", "demo.png")
	if err != nil {
		return nil, "", err
	}
	err = errors.Join(png.Encode(part, image.NewRGBA(image.Rect(0, 0, 640, 480))), form.WriteField("user_id", "1"), form.Close())
	return buf.Bytes(), form.FormDataContentType(), err
}

// cleanedUp waits until the upload's temporary file is gone, which is after its last task.
func (t *tour) cleanedUp() error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for over := time.After(10 * time.Second); len(t.leftovers()) > 0; {
		select {
		case <-tick.C:
		case <-over:
			return fmt.Errorf("temporary files are left: %q", t.leftovers())
		}
	}
	t.line.task(time.Now(), "(the upload's temporary file is gone)")
	return nil
}

func (t *tour) report() error {
	got, object, err := t.sendJSON("demo-report", "POST", "/reports", map[string]any{"type": "sales"}, http.StatusAccepted)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/reports/%v", object["report_id"])
	if early, err := t.send("", "GET", path+"/file", nil); err != nil || early.status != http.StatusNotFound {
		t.wrong("there is a file before the report was generated: %d, %v", early.status, err)
	}
	if err := t.tasks("demo-report", got, "generate report succeeded", "notify report ready succeeded"); err != nil {
		return err
	}
	status, err := t.send("", "GET", path, nil)
	if err != nil || !contains(status.body, `"status":"completed"`) {
		t.wrong("the report is not completed: %s, %v", status.body, err)
	}
	file, err := t.send("", "GET", path+"/file", nil)
	if err != nil || !contains(file.body, "\napple,Apple,2,4\n") {
		t.wrong("the report is wrong: %s, %v", file.body, err)
	}
	return nil
}

func (t *tour) login() error {
	ann := map[string]any{"name": "ann", "password": "correct horse"}
	if _, _, err := t.sendJSON("", "POST", "/users", ann, http.StatusCreated); err != nil {
		return err
	}
	got, object, err := t.sendJSON("demo-login", "POST", "/login", ann, http.StatusOK)
	if err != nil {
		return err
	}
	if err := t.tasks("demo-login", got, "update statistics succeeded", "write login audit succeeded"); err != nil {
		return err
	}
	me, err := t.send("", "GET", "/me", nil, "Authorization", fmt.Sprintf("Bearer %v", object["access_token"]))
	if err != nil || !contains(me.body, `"login_count":1`) || !contains(me.body, `"event":"login"`) {
		t.wrong("the login was not recorded: %s, %v", me.body, err)
	}
	return nil
}
