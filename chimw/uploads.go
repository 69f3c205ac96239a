package chimw

import (
	"errors"
	"mime/multipart"
	"net/http"
	"sync"
)

// Uploads keeps the temporary files of a multipart form until the request's last task has
// ended, and then removes them, also when there was no task or the handler panicked.
//
// BackgroundTasks does this by itself for a form that is parsed on the request that it
// passes on. It cannot see one that is parsed on a copy, which every middleware makes that
// sets a context value (r.WithContext). Where there is such a middleware further in, put
// Uploads last on the route:
//
//	r.With(chimw.Uploads).Post("/images", upload)
//
// Without BackgroundTasks in front of it, it removes the files when the handler has
// returned. (net/http removes only those of the very request that it has made, which no
// handler behind a chi router is ever given.)
func Uploads(next http.Handler) http.Handler {
	if next == nil {
		panic("chimw: Uploads needs a handler to wrap")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := r.Context().Value(uploadsKey{}).(*uploads)
		if !ok {
			u = &uploads{had: r.MultipartForm}
			defer func() { _ = u.remove() }()
		}
		defer func() { u.keep(r.MultipartForm) }()
		next.ServeHTTP(w, r)
	})
}

type uploadsKey struct{}

// uploads are the forms of one request whose files are to be removed.
type uploads struct {
	had *multipart.Form // parsed outside, and not ours to remove

	mu      sync.Mutex
	forms   []*multipart.Form
	removed bool
}

// keep takes charge of form, which may be nil.
func (u *uploads) keep(form *multipart.Form) {
	if form == nil || form == u.had {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.removed { // the handler has outlived its request's tasks
		_ = form.RemoveAll()
		return
	}
	u.forms = append(u.forms, form)
}

func (u *uploads) none() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.forms) == 0
}

func (u *uploads) remove() (err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.removed = true
	for _, form := range u.forms {
		err = errors.Join(err, form.RemoveAll())
	}
	u.forms = nil
	return err
}
