package chimw

import (
	"net/http"
	"sync"
	"time"
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
	source <-chan bool   // net/http's
	notify chan bool     // for a handler that asks for CloseNotify
	over   chan struct{} // closed when there is nothing more to wait for
	heard  bool          // the end has been: set before over is closed
}

// watchStream begins to listen, which must happen before the handler chain has returned. It
// is nil where no writer in w has a CloseNotify: inside http.TimeoutHandler.
func (x *exchange) watchStream(w http.ResponseWriter) *ends {
	s := &x.extra.get().stream
	s.once.Do(func() {
		notifier, ok := find[closeNotifier](w)
		if !ok {
			return
		}
		// It panics where something outside has answered for a handler that still runs,
		// which on HTTP/2 is a race that such middleware has with any use of the writer.
		defer func() { _ = recover() }()
		source := notifier.CloseNotify()
		end := &ends{source: source, notify: make(chan bool, 1), over: make(chan struct{})}
		go func() {
			end.heard = x.hearEnd(source)
			end.notify <- true // if it has not been heard the handler has returned: for one that it has left behind
			close(end.over)
		}()
		s.end = end
	})
	return s.end
}

// hearEnd waits for the end of the stream, and reports whether it has come. The context's end is net/http's, or
// that of middleware outside, which may come while the handler runs.
func (x *exchange) hearEnd(source <-chan bool) bool {
	select {
	case <-source:
		return true
	case <-x.host.parent.Done():
	}
	for {
		returned := x.writer.calls.isSealed()
		select {
		case <-source:
			return true
		case <-time.After(streamEndLimit):
			if returned {
				return false
			}
		}
	}
}

// speaksHTTP2 reports whether w is the writer of an HTTP/2 stream: golang.org/x/net/http2/h2c
// answers a request that came by HTTP/1.1 and asked for an upgrade with one, which can push. (So
// can wrappers of writers that can't.)
func (x *exchange) speaksHTTP2(w http.ResponseWriter) bool {
	if x.writer.http2 || x.req.Header["Http2-Settings"] == nil {
		return x.writer.http2
	}
	_, pushes := innermost(w).(http.Pusher)
	return pushes
}

// streamEndLimit is how long after the end of its context and its handler a stream is listened to by all means (up to
// twice that, where the handler goes on after its context's end). If
// nothing has been heard by then, the client may not have read the response to its end, or middleware
// outside listens to CloseNotify as well, and the one value has gone there. See startUnheard.
const streamEndLimit = time.Minute

// streamEnd is the end of the stream of w; nil where there is none to hear of.
func (x *exchange) streamEnd(w http.ResponseWriter) *ends {
	if !x.speaksHTTP2(w) {
		return nil
	}
	return x.watchStream(w)
}
