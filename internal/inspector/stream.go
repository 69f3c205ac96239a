package inspector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	tick        = time.Second
	mostStreams = 16
	sendLimit   = 10 * time.Second // for a client that does not read
)

// stream sends a report every second: JSON or, for the page's own use, its parts. It ends
// when the client goes, when the server begins to shut down (which would wait for it) and
// when the runner has; while a runner that is shutting down has tasks left it goes on.
//
// The response is complete after one event where there are mostStreams already, or where
// something outside (http.TimeoutHandler) cannot flush. A browser's EventSource asks again
// then, every other second: its page is live all the same.
func (i *Inspector) stream(w http.ResponseWriter, r *http.Request, server Server) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	if r.Method == http.MethodHead {
		return
	}
	out := events{w, http.NewResponseController(w), r.URL.Query().Has("parts")}
	defer out.end()
	select {
	case i.streams <- struct{}{}:
		defer func() { <-i.streams }()
	default:
		_ = out.send(i.report(server, i.recent()))
		return
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		report := i.report(server, i.recent())
		if err := out.send(report); err != nil || report.over() {
			return
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-server.Closing:
			return
		}
	}
}

// events writes to a client, each with a time limit of its own in place of the server's
// WriteTimeout, which is made for responses that come to an end.
type events struct {
	http.ResponseWriter
	control *http.ResponseController
	parts   bool
}

func (e events) send(report *Report) error {
	var data any = report
	if e.parts {
		data = parts(report)
	}
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(sendLimit))
	if _, err := fmt.Fprintf(e, "retry: %d\ndata: %s\n\n", 2*tick.Milliseconds(), text); err != nil {
		return err
	}
	return e.control.Flush()
}

// end leaves no deadline to the connection's next request.
func (e events) end() { _ = e.control.SetWriteDeadline(time.Time{}) }
