package goroutine

import (
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

func sendMail(to string) {}

func handler(w http.ResponseWriter, r *http.Request) {
	go sendMail("a") // want `this goroutine outlives its request: it may start before the response is sent`
	go func() {      // want `this goroutine outlives its request`
		sendMail("b")
	}()
	w.WriteHeader(202)
}

func routes(r chi.Router) {
	r.Post("/", func(w http.ResponseWriter, r *http.Request) {
		go sendMail("a") // want `this goroutine outlives its request`
	})
}

// Near misses.

func waits(w http.ResponseWriter, r *http.Request) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		sendMail("a")
	}()
	wg.Wait()
	done := make(chan struct{})
	go func() {
		sendMail("b")
		close(done)
	}()
	<-done
}

func selects(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	go func() {
		sendMail("b")
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

func passesOn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go sendMail("a")
		next.ServeHTTP(w, r)
	})
}

func main() {
	go sendMail("a")
}

type pump struct{ in chan string }

func (p *pump) run() {
	for {
		sendMail(<-p.in)
	}
}

func (p *pump) start(w http.ResponseWriter, r *http.Request) {
	go p.run()
}
