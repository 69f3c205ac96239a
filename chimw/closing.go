package chimw

import (
	"net/http"
	"runtime"
	"sync"
	"weak"
)

// closings has a channel for each server: weak.Pointer[http.Server] to chan struct{}.
var closings sync.Map

// closing returns a channel that is closed when the shutdown of srv begins, for a response
// that would go on for ever. Attach asks for it too, as net/http runs no hook that is
// registered after that.
func closing(srv *http.Server) <-chan struct{} {
	key := weak.Make(srv)
	began, known := closings.LoadOrStore(key, make(chan struct{}))
	if !known {
		runtime.AddCleanup(srv, func(key weak.Pointer[http.Server]) { closings.Delete(key) }, key)
		srv.RegisterOnShutdown(sync.OnceFunc(func() { close(began.(chan struct{})) }))
	}
	return began.(chan struct{})
}
