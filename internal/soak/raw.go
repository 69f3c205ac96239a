package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// dial opens a connection to the target.
func (c *client) dial() *net.TCPConn { return dial(c.t.plain) }

func head(q plan.Request, method, more string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: soak\r\nX-Request-Id: %s\r\n%s\r\n", method, q.Path("/do"), q.ID, more)
}

// pipeline sends some requests in one write, and reads their answers.
func (c *client) pipeline() {
	conn := c.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	var all []plan.Request
	var text strings.Builder
	for range 2 + c.random.IntN(6) {
		q := c.ask()
		q.End = "" // it would take the next with it
		all = append(all, q)
		text.WriteString(head(q, http.MethodGet, ""))
	}
	go func() { _, _ = io.WriteString(conn, text.String()) }()
	in := bufio.NewReader(conn)
	for _, q := range all {
		if !c.readAnswer(in, q) {
			return
		}
	}
	_ = conn.CloseWrite()
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		c.report.isForeign("after the answer to %s: %.200q", all[len(all)-1].ID, rest)
	}
}

// readAnswer reads one answer and reports whether there can be another.
func (c *client) readAnswer(in *bufio.Reader, q plan.Request) bool {
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	c.check(q, res, body, err == nil)
	return err == nil && !res.Close
}

// halfSent announces a body, and sends not all of it.
func (c *client) halfSent() {
	c.sendHalf(c.t.plain, head(c.ask(), http.MethodPost, "Content-Length: 1000\r\n"), strings.Repeat("x", 1000))
}

// sendHalf sends a part of a request, waits, and closes in order.
func (c *client) sendHalf(addr, head, body string) {
	conn := dial(addr)
	if conn == nil {
		return
	}
	defer conn.Close()
	c.report.fault("half-sent request")
	text := head + body
	sent := c.random.IntN(len(text))
	if body != "" && c.random.IntN(3) > 0 {
		sent = len(head) + c.random.IntN(len(body))
	}
	_, _ = io.WriteString(conn, text[:sent])
	select {
	case <-time.After(time.Duration(c.random.IntN(500)) * time.Millisecond): // as a stalled phone does
	case <-c.done:
	}
	if c.random.IntN(2) == 0 {
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
}

// reset resets a connection to the target.
func (c *client) reset() {
	q := c.ask()
	q.Size += c.random.IntN(2) * 500_000
	c.resetConn(c.t.plain, head(q, http.MethodPost, "Connection: close\r\nContent-Length: 5000\r\n"), strings.Repeat("x", 5000), q.Size+200)
}

var stages = []string{"reset at once", "reset in head", "reset in body", "reset after request", "reset later", "reset in answer"}

// resetConn resets a connection at any stage: before, in the middle of and after the request,
// and before and in the middle of its answer, which has answer bytes or so.
func (c *client) resetConn(addr, head, body string, answer int) {
	conn := dial(addr)
	if conn == nil {
		return
	}
	defer conn.Close()
	_ = conn.SetLinger(0)
	text := head + body
	stage := c.random.IntN(len(stages))
	c.report.fault(stages[stage])
	switch stage {
	case 0:
		return
	case 1:
		text = text[:c.random.IntN(len(head))]
	case 2:
		text = text[:len(head)+c.random.IntN(len(body)+1)]
	}
	_, _ = io.WriteString(conn, text)
	switch stage {
	case 4:
		time.Sleep(time.Duration(c.random.IntN(3000)) * time.Microsecond) // anywhere in the handler or after it
	case 5:
		_, _ = io.CopyN(io.Discard, conn, int64(1+c.random.IntN(answer)))
	}
}

// readSlowly reads an answer in small pieces, until the attack is over. It is more than the system
// takes from a server (some 4 MB), which therefore has to wait in its writes.
func (c *client) readSlowly() {
	conn := c.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	c.report.fault("slow reader")
	_ = conn.SetReadBuffer(8 << 10)
	q := c.ask()
	q.Size = 8_000_000
	_, _ = io.WriteString(conn, head(q, http.MethodGet, "Connection: close\r\n"))
	c.readAnswer(bufio.NewReaderSize(slowReader{conn, c}, slowly), q)
}

// slowly is how many bytes a slow reader takes at a time.
const slowly = 64 << 10

type slowReader struct {
	io.Reader
	c *client
}

func (r slowReader) Read(p []byte) (int, error) {
	select {
	case <-time.After(5 * time.Millisecond): // is what makes it slow, and the small window that follows
	case <-r.c.done:
		return 0, io.ErrUnexpectedEOF
	case <-r.c.t.exited:
		return 0, io.ErrUnexpectedEOF
	}
	return r.Reader.Read(p[:min(len(p), slowly)])
}

// neverRead does not read a large answer. Its tasks and a shutdown must go on all the same.
func (c *client) neverRead() {
	conn := c.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	c.report.fault("client never reads")
	_ = conn.SetReadBuffer(4 << 10)
	q := c.ask()
	q.Size = 20_000_000
	_, _ = io.WriteString(conn, head(q, http.MethodGet, ""))
	select {
	case <-time.After(time.Duration(1+c.random.IntN(4)) * time.Second):
	case <-c.t.exited:
	case <-c.done:
	}
}
