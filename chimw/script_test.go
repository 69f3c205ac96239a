package chimw_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// A script is a sequence of things that a handler may do to its response, made from bytes.
type script struct {
	data []byte
	w    http.ResponseWriter
	r    *http.Request
}

// of chooses one of n.
func (s *script) of(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// play is the handler; it panics where the script says so.
func (s *script) play() {
	for len(s.data) > 0 {
		scriptSteps[s.of(len(scriptSteps))](s)
	}
}

var scriptSteps = []func(*script){
	(*script).write, (*script).write, (*script).write,
	(*script).writeString, (*script).readFrom, (*script).copyBody,
	(*script).writeHeader, (*script).writeHeader,
	(*script).setHeader, (*script).setHeader, (*script).setHeader, (*script).deleteHeader,
	(*script).flush, (*script).controllerFlush,
	(*script).readBody, (*script).control, (*script).answer, (*script).end, (*script).hijack,
}

var scriptText = bytes.Repeat([]byte("0123456789abcdef"), 512)

// text is up to 8 KB: more than net/http's buffers.
func (s *script) text() []byte { return scriptText[:min(s.of(256)*s.of(40), len(scriptText))] }

func (s *script) write()    { _, _ = s.w.Write(s.text()) }
func (s *script) copyBody() { _, _ = io.Copy(s.w, s.r.Body) }

func (s *script) writeString() {
	text := string(s.text())
	_, _ = io.WriteString(s.w, text)
}

func (s *script) readFrom() {
	if to, ok := s.w.(io.ReaderFrom); ok {
		_, _ = to.ReadFrom(bytes.NewReader(s.text()))
	}
}

func (s *script) writeHeader() {
	statuses := []int{200, 200, 201, 204, 304, 404, 500, 599, 999, 100, 102, 103, 199, 0, 1000}
	s.w.WriteHeader(statuses[s.of(len(statuses))])
}

func (s *script) setHeader() {
	keys := []string{
		"Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "X-Test", "Date",
		http.TrailerPrefix + "X-Late", "X-Late", "Keep-Alive", "Content-Encoding", "bad key",
	}
	values := []string{
		"", "0", "5", "100", "5000", "-1", "close", "keep-alive", "chunked", "identity", "X-Late", "text/plain", "a\r\nb: c", "gzip",
	}
	s.w.Header().Add(keys[s.of(len(keys))], values[s.of(len(values))])
}

func (s *script) deleteHeader() {
	key := []string{"Content-Length", "Date", "Content-Type", "X-Test"}[s.of(4)]
	if s.of(2) == 0 {
		s.w.Header().Del(key)
	} else {
		s.w.Header()[key] = nil // net/http leaves out what it would add
	}
}

func (s *script) flush()           { s.w.(http.Flusher).Flush() }
func (s *script) controllerFlush() { _ = http.NewResponseController(s.w).Flush() }

func (s *script) readBody() {
	if s.of(4) == 0 {
		_ = s.r.Body.Close()
		return
	}
	_, _ = s.r.Body.Read(make([]byte, s.of(8)))
}

func (s *script) control() {
	c := http.NewResponseController(s.w)
	switch s.of(3) {
	case 0:
		_ = c.EnableFullDuplex()
	case 1:
		_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
	case 2:
		_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	}
}

func (s *script) answer() {
	switch s.of(4) {
	case 0:
		http.Error(s.w, "as the script says", 400+s.of(100))
	case 1:
		http.Redirect(s.w, s.r, "/elsewhere", http.StatusFound)
	case 2:
		http.NotFound(s.w, s.r)
	case 3:
		http.ServeContent(s.w, s.r, "a.txt", time.Time{}, bytes.NewReader(s.text()))
	}
}

func (s *script) end() {
	switch s.of(6) {
	case 0:
		panic("as the script says")
	case 1:
		panic(http.ErrAbortHandler)
	case 2:
		runtime.Goexit()
	default:
		s.data = nil
	}
}

func (s *script) hijack() {
	if s.of(4) != 0 {
		return
	}
	conn, rw, err := s.w.(http.Hijacker).Hijack()
	if err != nil {
		_, _ = io.WriteString(s.w, strings.ToUpper(err.Error()))
		return
	}
	_, _ = rw.Write(s.text())
	_ = rw.Flush()
	_ = conn.Close()
}
