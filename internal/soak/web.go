package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
	"github.com/coder/websocket"
)

// A web has the HTTP clients of a process's life, which share their connections.
type web struct{ http1, h2c, tls1, tls2 *http.Client }

const patience = 30 * time.Second

func newWeb() *web {
	return &web{
		newClient((*http.Protocols).SetHTTP1),
		newClient((*http.Protocols).SetUnencryptedHTTP2),
		newClient((*http.Protocols).SetHTTP1),
		newClient((*http.Protocols).SetHTTP2),
	}
}

func newClient(set func(*http.Protocols, bool)) *http.Client {
	protocols := new(http.Protocols)
	set(protocols, true)
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		Protocols:           protocols,
		MaxIdleConnsPerHost: 100,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // the server's certificate is new in each life
	}}
}

func (w *web) close() {
	for _, c := range []*http.Client{w.http1, w.h2c, w.tls1, w.tls2} {
		c.CloseIdleConnections()
	}
}

// get sends a request and reads its answer, or goes away in the middle of it.
func (c *client) get(via *http.Client, base string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	q := c.ask()
	if c.random.IntN(20) == 0 {
		c.report.fault("client cancels")
		q.Unwatched = via == c.web.h2c // where that ends a stream, not a connection
		time.AfterFunc(time.Duration(c.random.IntN(5000))*time.Microsecond, cancel)
	}
	// Not GET, which net/http's client would send again where a handler panics.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+q.Path("/do"), nil)
	if err != nil {
		panic(err)
	}
	c.do(via, req, q)
}

// do sends req, whose answer must be q's.
func (c *client) do(via *http.Client, req *http.Request, q plan.Request) {
	req.Header.Set("X-Request-Id", q.ID)
	res, err := via.Do(req)
	if err != nil {
		if q.End != "" && errors.Is(err, io.EOF) {
			c.report.fault("handler panics or aborts")
		}
		return // or the process is shutting down
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	c.check(q, res, body, err == nil)
}

// check looks at an answer, which can be cut short, and notes whether it acknowledges q.
func (c *client) check(q plan.Request, res *http.Response, body []byte, whole bool) {
	want := q.Body()
	c.report.isAnswered(q)
	switch {
	case res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusBadRequest:
		want = nil
		fallthrough
	case res.StatusCode == max(q.Status, 200):
		if res.Header.Get("X-Id") != q.ID && res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Foreign") != "" {
			c.report.isForeign("headers of %s: %v", q.ID, res.Header)
		}
		if !bytes.HasPrefix(want, body) && res.StatusCode != http.StatusBadRequest || whole && len(body) < len(want) {
			c.report.isForeign("body of %s, %d bytes instead of %d: %.200q", q.ID, len(body), len(want), body[mismatch(body, want):])
		}
	default:
		c.report.breaks("answer to %s: %s", q.ID, res.Status)
	}
	if whole && res.StatusCode == http.StatusOK {
		c.acked.add(q)
	}
}

// mismatch is where a differs from b.
func mismatch(a, b []byte) int {
	for i := range a {
		if i == len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// upload sends a file that the server keeps in a temporary one, for a task to read.
func (c *client) upload() {
	q := c.ask()
	q.Tasks += string(rune(plan.Upload))
	file := bytes.Repeat([]byte(q.ID+"\n"), 200+c.random.IntN(5000))
	sum := sha256.Sum256(file)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("sum", hex.EncodeToString(sum[:]))
	part, _ := form.CreateFormFile("file", "file")
	_, _ = part.Write(file)
	_ = form.Close()
	via, base := c.web.http1, "http://"+c.t.plain
	if c.random.IntN(2) == 0 {
		via, base = c.web.tls2, "https://"+c.t.secure
	}
	req, err := http.NewRequest(http.MethodPost, base+q.Path("/upload"), &body)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	c.do(via, req, q)
}

// websocket talks for a while, and says goodbye or does not. The upgrade acknowledges the
// tasks.
func (c *client) websocket() {
	q := c.ask()
	q.End, q.Status = "", 0
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+c.t.plain+q.Path("/websocket"),
		&websocket.DialOptions{HTTPHeader: http.Header{"X-Request-Id": {q.ID}}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	c.report.isAnswered(q)
	c.acked.add(q)
	for i := range c.random.IntN(20) {
		text := strings.Repeat(fmt.Sprint(q.ID, " ", i, "\n"), 1+c.random.IntN(50))
		if conn.Write(ctx, websocket.MessageText, []byte(text)) != nil {
			return
		}
		_, answer, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if string(answer) != text {
			c.report.isForeign("websocket of %s: %.200q", q.ID, answer)
		}
	}
	if c.random.IntN(2) == 0 {
		_ = conn.Close(websocket.StatusNormalClosure, "")
		return
	}
	c.report.fault("websocket dropped")
}
