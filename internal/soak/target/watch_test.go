package main

import (
	"io"
	"net"
	"testing"
)

func TestResponseIsSentOnceItsLastByteIs(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	go func() { _, _ = io.Copy(io.Discard, b) }()
	const end = "end:r\n\r\n0\r\n\r\n"
	for cut := range end {
		c := &watchedConn{Conn: a, open: make(map[string][]byte)}
		c.expect("r", end)
		_, _ = io.WriteString(c, "body"+end[:cut])
		if c.sent("r") {
			t.Errorf("after %q", end[:cut])
		}
		_, _ = io.WriteString(c, end[cut:])
		if !c.sent("r") {
			t.Errorf("after %q and %q", end[:cut], end[cut:])
		}
	}
}

func TestResponseThatCannotBeSentIsNotWaitedFor(t *testing.T) {
	a, b := net.Pipe()
	c := &watchedConn{Conn: a, open: make(map[string][]byte)}
	c.expect("r", "end")
	_ = b.Close()
	if _, err := io.WriteString(c, "body"); err == nil || !c.sent("r") {
		t.Errorf("%v, sent %t", err, c.sent("r"))
	}
}
