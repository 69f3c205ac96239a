package inspector

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/render"
)

// accept is what the client likes best of HTML, JSON and an event stream. One that names
// none of them gets JSON, as from package render; so does one that takes anything (curl).
//
// render.GetAcceptedContentType looks at the first type in the header only, and at no
// weight: it is asked for what a type means, and where render.SetContentType has set one.
func accept(r *http.Request) render.ContentType {
	if set, ok := r.Context().Value(render.ContentTypeCtxKey).(render.ContentType); ok {
		return set
	}
	best, weight := render.ContentTypeJSON, 0.0
	for _, field := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, params, err := mime.ParseMediaType(field)
		if err != nil {
			continue
		}
		if t, q := offered(name), quality(params); t != render.ContentTypeUnknown && q > weight {
			best, weight = t, q
		}
	}
	return best
}

// offered is the type to answer with to a client that accepts name.
func offered(name string) render.ContentType {
	switch t := render.GetContentType(name); {
	case t == render.ContentTypeHTML, t == render.ContentTypeJSON, t == render.ContentTypeEventStream:
		return t
	case name == "*/*", name == "application/*":
		return render.ContentTypeJSON
	case name == "text/*":
		return render.ContentTypeHTML
	}
	return render.ContentTypeUnknown
}

func quality(params map[string]string) float64 {
	q, err := strconv.ParseFloat(params["q"], 64)
	if err != nil {
		return 1
	}
	return q
}
