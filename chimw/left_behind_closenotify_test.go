package chimw_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// A goroutine that a handler has left behind may ask at any moment of its end.
func TestCloseNotifyDoesNotRaceWithTheEndOfTheHandler(t *testing.T) {
	run := bgtasks.New(bgtasks.Config{})
	var left sync.WaitGroup
	h := chimw.BackgroundTasks(run)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		left.Go(func() { w.(interface{ CloseNotify() <-chan bool }).CloseNotify() })
		runtime.Gosched() // so that it may be inside
	}))
	for range 5000 {
		h.ServeHTTP(stream{httptest.NewRecorder(), make(chan bool)}, httptest.NewRequest(http.MethodGet, "/", nil))
	}
	left.Wait()
}
