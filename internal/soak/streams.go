package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// The streams of orders: the export, which is a file that a task removes, and the events.

// export downloads it.
func (c *client) export() {
	a := c.orders.asks("export")
	status, body := c.askShop(a, shopRequest{method: http.MethodGet, path: "/export"})
	if status != http.StatusOK {
		return
	}
	c.orders.is(a, a.id)
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil || len(archive.File) != 1 {
		c.report.isForeign("export %s: %d bytes: %v", a.id, len(body), err)
		return
	}
	file, err := archive.File[0].Open()
	if err == nil {
		defer file.Close()
		_, err = csv.NewReader(file).ReadAll()
	}
	if err != nil {
		c.report.isForeign("export %s: %v", a.id, err)
	}
}

// watch follows the events for a while, and goes without a word; or it does not read them.
func (c *client) watch() {
	if c.random.IntN(4) == 0 {
		c.watchBlindly()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.random.IntN(2000))*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.orders.addr()+"/events", nil)
	if err != nil {
		panic(err)
	}
	res, err := c.orders.web.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return // there are too many watchers
	}
	c.report.fault("watcher goes")
	c.readEvents(bufio.NewReader(res.Body))
}

// watchBlindly asks for the events and never reads one. It must not hold up a shutdown.
func (c *client) watchBlindly() {
	conn := dial(c.orders.addr())
	if conn == nil {
		return
	}
	defer conn.Close()
	c.report.fault("watcher never reads")
	_ = conn.SetReadBuffer(4 << 10)
	_, _ = io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: soak\r\n\r\n")
	select {
	case <-time.After(time.Duration(1+c.random.IntN(4)) * time.Second):
	case <-c.t.exited:
	case <-c.done:
	}
}

// readEvents reads until the stream ends. The tasks of each list must start in their order.
func (c *client) readEvents(in *bufio.Reader) {
	started := make(map[uint64]int) // by list: position
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case ok:
			c.readEvent(data, started)
		case line == "event: shutdown\n":
			c.report.fault("watcher is told of the shutdown")
		case line != "\n" && line != "event: task\n" && !strings.HasPrefix(line, ": "):
			c.report.isForeign("event: %.200q", line)
		}
	}
}

func (c *client) readEvent(data string, started map[uint64]int) {
	var event struct {
		Kind     string
		List     uint64
		Position int
	}
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		c.report.isForeign("event: %v: %.200q", err, data)
		return
	}
	if event.Kind != "started" {
		return
	}
	if event.Position < started[event.List] {
		c.report.breaks("out of order: events of list %d: %d starts after %d", event.List, event.Position, started[event.List])
	}
	started[event.List] = event.Position
}
