package script

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// steps are the more usual ones several times.
var steps = []func(*playing){
	(*playing).write, (*playing).write, (*playing).write,
	(*playing).writeString, (*playing).readFrom, (*playing).copyBody,
	(*playing).writeHeader, (*playing).writeHeader,
	(*playing).setHeader, (*playing).setHeader, (*playing).setHeader, (*playing).deleteHeader,
	(*playing).flush, (*playing).controllerFlush,
	(*playing).readBody, (*playing).control, (*playing).answer, (*playing).end, (*playing).hijack,
}

// withPush are those of a handler on HTTP/2.
var withPush = append(steps[:len(steps):len(steps)], (*playing).push)

func (s *playing) write()    { _, _ = s.w.Write(s.text()) }
func (s *playing) copyBody() { _, _ = io.Copy(s.w, s.r.Body) }

func (s *playing) writeString() {
	text := string(s.text())
	_, _ = io.WriteString(s.w, text)
}

func (s *playing) readFrom() {
	if to, ok := s.w.(io.ReaderFrom); ok {
		_, _ = to.ReadFrom(bytes.NewReader(s.text()))
	}
}

func (s *playing) writeHeader() {
	statuses := []int{200, 200, 201, 204, 304, 404, 500, 599, 999, 100, 102, 103, 199, 0, 1000}
	s.w.WriteHeader(statuses[s.Of(len(statuses))])
}

func (s *playing) setHeader() {
	keys := []string{
		"Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "X-Test", "Date",
		http.TrailerPrefix + "X-Late", "X-Late", "Keep-Alive", "Content-Encoding", "bad key",
	}
	values := []string{
		"", "0", "5", "100", "5000", "-1", "close", "keep-alive", "chunked", "identity", "X-Late", "text/plain", "a\r\nb: c", "gzip",
	}
	key, value := keys[s.Of(len(keys))], values[s.Of(len(values))]
	if s.r.ProtoMajor == 2 && strings.HasSuffix(key, "X-Late") {
		// On HTTP/2 net/http leaves out a trailer of a bad value, and if it is the only one, also
		// the frame that would have ended the stream.
		value = strings.ReplaceAll(value, "\r\n", " ")
	}
	s.w.Header().Add(key, value)
}

func (s *playing) deleteHeader() {
	key := []string{"Content-Length", "Date", "Content-Type", "X-Test"}[s.Of(4)]
	if s.Of(2) == 0 {
		s.w.Header().Del(key)
	} else {
		s.w.Header()[key] = nil // net/http leaves out what it would add
	}
}

func (s *playing) flush()           { s.w.(http.Flusher).Flush() }
func (s *playing) controllerFlush() { _ = http.NewResponseController(s.w).Flush() }

func (s *playing) readBody() {
	if s.Of(4) == 0 {
		_ = s.r.Body.Close()
		return
	}
	_, _ = s.r.Body.Read(make([]byte, s.Of(8)))
}

func (s *playing) control() {
	c := http.NewResponseController(s.w)
	switch s.Of(3) {
	case 0:
		_ = c.EnableFullDuplex()
	case 1:
		_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
	case 2:
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	}
}

func (s *playing) answer() {
	switch s.Of(4) {
	case 0:
		http.Error(s.w, "as the script says", 400+s.Of(100))
	case 1:
		http.Redirect(s.w, s.r, "/elsewhere", http.StatusFound)
	case 2:
		http.NotFound(s.w, s.r)
	case 3:
		http.ServeContent(s.w, s.r, "a.txt", time.Time{}, bytes.NewReader(s.text()))
	}
}

func (s *playing) end() {
	switch s.Of(6) {
	case 0:
		panic("as the script says")
	case 1:
		panic(http.ErrAbortHandler)
	case 2:
		runtime.Goexit()
	default:
		s.Script = nil
	}
}

func (s *playing) hijack() {
	if s.Of(4) != 0 {
		return
	}
	hijacker, ok := s.w.(http.Hijacker)
	if !ok { // on HTTP/2
		_, _ = io.WriteString(s.w, "NOT TO BE HIJACKED")
		return
	}
	conn, rw, err := hijacker.Hijack()
	if err != nil {
		_, _ = io.WriteString(s.w, strings.ToUpper(err.Error()))
		return
	}
	_, _ = rw.Write(s.text())
	_ = rw.Flush()
	_ = conn.Close()
}

func (s *playing) push() {
	target := []string{Probe, "/elsewhere/" + string(Text[:s.Of(20)]), "not a path"}[s.Of(3)]
	options := []*http.PushOptions{nil, {Header: http.Header{"X-Test": {"pushed"}}}, {Method: "POST"}}[s.Of(3)]
	if err := s.w.(http.Pusher).Push(target, options); err != nil {
		_, _ = io.WriteString(s.w, strings.ToUpper(err.Error()))
	}
}
