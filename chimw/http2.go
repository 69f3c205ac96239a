package chimw

import (
	"net/http"
	"sync"
)

// closeNotifier is http.CloseNotifier, which is deprecated: for a handler that wants to know
// whether its client has gone, the request's context is better. Its use here is another.
type closeNotifier interface{ CloseNotify() <-chan bool }

// streamEnd is the end of an HTTP/2 stream, by way of the response writer's CloseNotify
// channel: the only signal that net/http gives (and golang.org/x/net/http2). When it comes,
// the frame that ends the stream is in the connection's buffer; the write to the socket is
// the connection's next.
type streamEnd struct {
	once sync.Once
	end  *ends
}

type ends struct {
	notify chan bool     // for a handler that asks for CloseNotify
	closed chan struct{} // for us
}

// watch begins to listen, which must happen before the handler chain has returned. It is
// nil where no writer in w has a CloseNotify: inside http.TimeoutHandler.
func (s *streamEnd) watch(w http.ResponseWriter) *ends {
	s.once.Do(func() {
		notifier, ok := find[closeNotifier](w)
		if !ok {
			return
		}
		source := notifier.CloseNotify()
		s.end = &ends{make(chan bool, 1), make(chan struct{})}
		go func() {
			<-source
			s.end.notify <- true
			close(s.end.closed)
		}()
	})
	return s.end
}

// streamEnd is closed at the end of the stream; nil where there is none to hear of.
func (x *exchange) streamEnd() <-chan struct{} {
	if !x.http2 {
		return nil
	}
	if end := x.writer.stream.watch(x.writer.inner); end != nil {
		return end.closed
	}
	return nil
}
