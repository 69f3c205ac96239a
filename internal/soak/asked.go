package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// asked is a request that has tasks.
type asked struct {
	id, kind string
	n        int // of its kind
	life     int
	acked    string // what the answer calls it; empty if none has arrived whole
	fails    bool   // its work cannot succeed
	quantity int    // of an import, of its item
	delivery *asked // the import of an item
	stored   bool
}

// asks notes a request that is about to be sent, which has its own ID.
func (o *orders) asks(kind string) *asked {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[kind]++
	a := &asked{kind: kind, n: o.counts[kind], life: o.life}
	a.id = fmt.Sprintf("%s-%d", kind, a.n)
	o.sent[a.id] = a
	return a
}

// is notes what the answer calls it.
func (o *orders) is(a *asked, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.acked = name
}

// A shopRequest is what is sent for an asked.
type shopRequest struct{ method, path, kind, body, fault string }

// forShop is the request to send for a.
func (c *client) forShop(a *asked, r shopRequest) *http.Request {
	req, err := http.NewRequest(r.method, "http://"+c.orders.addr()+r.path, strings.NewReader(r.body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("X-Request-Id", a.id)
	req.Header.Set("Content-Type", r.kind)
	if r.fault != "" {
		req.Header.Set("X-Fault", r.fault)
	}
	return req
}

// askShop sends a request to orders and returns the whole of its answer, or nil. Some are left in
// the middle, at any stage.
func (c *client) askShop(a *asked, r shopRequest) (status int, body []byte) {
	req := c.forShop(a, r)
	switch c.random.IntN(12) {
	case 0:
		head, body := onTheWire(req)
		c.sendHalf(req.Host, head, body)
		return 0, nil
	case 1:
		head, body := onTheWire(req)
		c.resetConn(req.Host, head, body, 400)
		return 0, nil
	}
	return c.orders.do(a, req)
}

func onTheWire(req *http.Request) (head, body string) {
	var wire bytes.Buffer
	req.Close = true
	serialize(req, &wire)
	head, body, _ = strings.Cut(wire.String(), "\r\n\r\n")
	return head + "\r\n\r\n", body
}

// serialize appends req as it is sent.
func serialize(req *http.Request, to *bytes.Buffer) {
	if err := req.Write(to); err != nil {
		panic(err)
	}
}

// do sends req and looks at its answer.
func (o *orders) do(a *asked, req *http.Request) (status int, body []byte) {
	res, err := o.web.Do(req)
	if err != nil {
		o.unanswered(a, err)
		return 0, nil
	}
	return o.answered(a, res)
}

// answered reads and looks at the answer to a. The status is 0 if it has not arrived whole.
func (o *orders) answered(a *asked, res *http.Response) (status int, body []byte) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.unanswered(a, err)
		return 0, nil
	}
	switch {
	case res.StatusCode < 300, res.StatusCode == http.StatusServiceUnavailable:
	case res.StatusCode == http.StatusUnprocessableEntity && a.fails:
	default:
		o.report.breaks("orders: answer to %s: %s: %.300s", a.id, res.Status, body)
	}
	return res.StatusCode, body
}

// unanswered notes that the whole answer to a has not arrived, as in a shutdown some do not.
func (o *orders) unanswered(a *asked, err error) {
	if !o.isEnding() {
		o.report.breaks("orders: no whole answer to %s: %v", a.id, err)
	}
}

// isStored notes what was stored for a, by the number in its answer.
func (o *orders) isStored(a *asked, body []byte, field string) {
	n := number(body, field)
	if n == "" {
		o.report.isForeign("answer to %s, which has no %s: %.200q", a.id, field, body)
		return
	}
	o.is(a, n)
}

// number takes the number of what was stored out of an answer.
func number(body []byte, field string) string {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	n, ok := answer[field].(float64)
	if !ok {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}
