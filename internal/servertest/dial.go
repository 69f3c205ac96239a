package servertest

import (
	"bufio"
	"crypto/tls"
	"net"
	"time"
)

// A Conn is a client's connection to a Server, for a client that says itself what goes over
// it and when. Under TLS it sees plaintext.
type Conn struct {
	net.Conn
	*bufio.Reader
	received int64
}

// Dial connects to s, a server of p.
func Dial(p Protocol, s *Server) (*Conn, error) {
	raw, err := net.DialTimeout("tcp", s.Addr, time.Minute)
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(2 * time.Minute)) // a hang is a failure
	c := &Conn{Conn: raw}
	if p.TLS {
		c.Conn = tls.Client(raw, countable(p.alpn()))
	}
	c.Reader = bufio.NewReaderSize(counter{c}, 64<<10)
	return c, nil
}

func (p Protocol) alpn() string {
	if p.HTTP2 {
		return "h2"
	}
	return "http/1.1"
}

// Read reads plaintext.
func (c *Conn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// Consumed is how many bytes have been read from c: the place in what the server has
// written, since the beginning of the connection, where the next is.
func (c *Conn) Consumed() int64 { return c.received - int64(c.Buffered()) }

type counter struct{ c *Conn }

func (r counter) Read(p []byte) (int, error) {
	n, err := r.c.Conn.Read(p)
	r.c.received += int64(n)
	return n, err
}
