package servertest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Wire watches what a server writes to its sockets. Give its Wrap to WrapConn, and
// talk to the server with Dial: under TLS only that client's records can be counted.
type Wire struct {
	delay   time.Duration
	tls     bool
	sockets sync.Map // remote address: *Socket
}

// NewWire returns a Wire for a server of p on which each write of a socket takes delay
// before its bytes are handed to the operating system.
func NewWire(p Protocol, delay time.Duration) *Wire {
	return &Wire{delay: delay, tls: p.TLS}
}

// Wrap watches c.
func (w *Wire) Wrap(c net.Conn) net.Conn {
	s := &Socket{Conn: c, delay: w.delay}
	if w.tls {
		s.records = new(records)
	}
	w.sockets.Store(c.RemoteAddr().String(), s)
	return s
}

// Socket is the newest connection from that address, http.Request.RemoteAddr.
func (w *Wire) Socket(remoteAddr string) *Socket {
	s, ok := w.sockets.Load(remoteAddr)
	if !ok {
		return nil
	}
	return s.(*Socket)
}

// A Socket is the server's end of a connection.
type Socket struct {
	net.Conn
	delay time.Duration
	sent  atomic.Int64

	// writing is held during a write, as the write lock of a TCP connection is: a
	// write of no bytes waits for the one under way, and is not itself slow.
	writing sync.Mutex
	records *records // nil without TLS

	mu     sync.Mutex
	writes []span // in order, none overlapping
}

type span struct{ begin, end time.Time }

// Write is slow, and remembers when it was.
func (s *Socket) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if len(p) == 0 {
		return s.Conn.Write(p)
	}
	begin := time.Now()
	if s.delay > 0 {
		<-time.After(s.delay)
	}
	n, err := s.Conn.Write(p)
	s.wrote(p[:n], begin)
	return n, err
}

func (s *Socket) wrote(p []byte, begin time.Time) {
	s.mu.Lock()
	s.writes = append(s.writes, span{begin, time.Now()})
	s.mu.Unlock()
	if s.records == nil {
		s.sent.Add(int64(len(p)))
	} else {
		s.sent.Add(s.records.plaintext(p))
	}
}

// Sent is how many bytes of plaintext have been handed to the operating system, by
// writes that have returned.
func (s *Socket) Sent() int64 { return s.sent.Load() }

// LongestIdle is the longest time between from and to in which no write was under way.
func (s *Socket) LongestIdle(from, to time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var longest time.Duration
	for _, w := range s.writes {
		if w.end.Before(from) {
			continue
		}
		if !w.begin.Before(to) {
			break
		}
		longest = max(longest, w.begin.Sub(from))
		from = w.end
	}
	return max(longest, to.Sub(from))
}
