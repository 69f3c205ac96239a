package wrong

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	bg "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"
)

// Wrong08: category 2, easy.
// The body is read in the task: net/http has closed it by then.
func (s *Server) Wrong08Webhook(w http.ResponseWriter, r *http.Request) {
	provider := chi.URLParam(r, "provider")
	err := bg.Add(r.Context(), "store webhook", func(ctx context.Context) error {
		payload, err := io.ReadAll(r.Body) // WRONG(2) in Wrong08
		if err != nil {
			return err
		}
		return s.store.Audit(ctx, provider+": "+string(payload))
	})
	if err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Wrong09: category 2, easy.
// r.Context() has been cancelled when the task runs.
func (s *Server) Wrong09Ship(w http.ResponseWriter, r *http.Request) {
	id := chi.URLParam(r, "id")
	if err := bg.Add(r.Context(), "ship", func(context.Context) error {
		return s.store.SetStatus(r.Context(), id, "shipped") // WRONG(2) in Wrong09
	}); err != nil {
		busy(w)
		return
	}
	render.NoContent(w, r)
}

// call is what the helpers of a handler share.
type call struct {
	r      *http.Request
	tenant string
	start  time.Time
}

// Wrong10: category 2, medium.
// FormValue parses the form where nobody has, which needs the body; the request is in a field
// of a captured struct.
func (s *Server) Wrong10Subscribe(w http.ResponseWriter, r *http.Request) {
	c := call{r: r, tenant: chi.URLParam(r, "tenant"), start: time.Now()}
	subscribe := func(ctx context.Context) error {
		return s.mail.Send(ctx, Mail{
			To:      c.r.FormValue("email"), // WRONG(2) in Wrong10
			Subject: "Welcome to " + c.tenant,
		})
	}
	if err := s.later(r.Context(), "subscribe", subscribe); err != nil {
		busy(w)
		return
	}
	s.log.InfoContext(r.Context(), "subscribed", "took", time.Since(c.start))
	w.WriteHeader(http.StatusAccepted)
}

// Wrong11: category 2, medium.
// The upload is first looked for in the task, when its body has gone.
func (s *Server) Wrong11Avatar(w http.ResponseWriter, r *http.Request) {
	user := chi.URLParam(r, "user")
	err := bg.Add(r.Context(), "store avatar", func(ctx context.Context) error {
		file, header, err := r.FormFile("avatar") // WRONG(2) in Wrong11
		if err != nil {
			return err
		}
		defer file.Close()
		return s.blobs.Put(ctx, "avatars/"+user+"/"+header.Filename, file)
	}, bg.Timeout(time.Minute))
	if err != nil {
		busy(w)
		return
	}
	render.PlainText(w, r, "received")
}

func (s *Server) record(ctx context.Context, r *http.Request) error {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return err
	}
	return s.store.Audit(ctx, string(dump))
}

// Wrong12: category 2, medium.
// The captured request is handed on to a method that reads all of it.
func (s *Server) Wrong12Delete(w http.ResponseWriter, r *http.Request) {
	if err := s.store.SetStatus(r.Context(), chi.URLParam(r, "id"), "deleted"); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = bg.Add(r.Context(), "record", func(ctx context.Context) error {
		if err := s.record(ctx, r); err != nil { // WRONG(2) in Wrong12
			return fmt.Errorf("record: %w", err)
		}
		return nil
	})
	w.WriteHeader(http.StatusNoContent)
}

type importer struct{ store *Store }

func (im *importer) run(ctx context.Context, req *http.Request) error {
	dec := json.NewDecoder(req.Body) // WRONG(2) in Wrong13
	for dec.More() {
		var o Order
		if err := dec.Decode(&o); err != nil {
			return err
		}
		if _, err := im.store.SaveOrder(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// Wrong13: category 2, subtle.
// Nothing is captured: the request is the argument that Bind fixes.
func (s *Server) Wrong13Import(w http.ResponseWriter, r *http.Request) {
	im := &importer{store: s.store}
	if err := bg.Add(r.Context(), "import", bg.Bind(im.run, r)); err != nil { // ALSO(2) in Wrong13
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// Wrong14: category 2, subtle.
// A second name for the request, in a goroutine inside the task (which waits for it).
func (s *Server) Wrong14Mirror(w http.ResponseWriter, r *http.Request) {
	in, targets := r, []string{"http://eu/mirror", "http://us/mirror"}
	if err := s.later(r.Context(), "mirror", func(ctx context.Context) error {
		var wg sync.WaitGroup
		var order Order
		var decodeErr error
		wg.Go(func() {
			decodeErr = json.NewDecoder(in.Body).Decode(&order) // WRONG(2) in Wrong14
		})
		wg.Wait()
		if decodeErr != nil {
			return decodeErr
		}
		for _, target := range targets {
			if err := s.post(ctx, target, order); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		busy(w)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
