package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A framed is an HTTP/2 connection of which each frame is its client's to send or to withhold,
// which package http leaves to nobody.
type framed struct {
	tcp     *net.TCPConn
	conn    net.Conn // tcp, or TLS on it
	frames  *http2.Framer
	block   bytes.Buffer // of headers
	encoder *hpack.Encoder
	scheme  string
	last    uint32 // stream
	answers map[uint32]*answer
	read    func(stream uint32, n int) // is told of data, to give it back to the window; stream 0: only to the connection's. Can be nil
}

// An answer is what has arrived of one.
type answer struct {
	http.Response
	body  []byte
	whole bool
	reset bool // by the server
}

// dialFramed opens a connection, with TLS or in cleartext, whose streams may each be sent
// window bytes without leave.
func (c *client) dialFramed(secure bool, window uint32) *framed {
	addr := c.t.plain
	if secure {
		addr = c.t.secure
	}
	tcp := dial(addr)
	if tcp == nil {
		return nil
	}
	f := &framed{tcp: tcp, conn: tcp, scheme: "http", answers: make(map[uint32]*answer)}
	if secure {
		f.conn, f.scheme = tls.Client(tcp, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}), "https" // it is new in each life
	}
	f.frames = http2.NewFramer(f.conn, f.conn)
	f.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encoder = hpack.NewEncoder(&f.block)
	if _, err := io.WriteString(f.conn, http2.ClientPreface); err != nil ||
		f.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}) != nil {
		f.close()
		return nil
	}
	return f
}

// close says no goodbye: that is one of its ways to go.
func (f *framed) close() { _ = f.tcp.Close() }

// ask sends the head of a request whose body has length bytes, and returns its stream.
func (f *framed) ask(q plan.Request, length int) uint32 {
	f.last += 2
	stream := f.last - 1
	f.block.Reset()
	for _, field := range [][2]string{
		{":method", http.MethodPost}, {":scheme", f.scheme}, {":authority", "soak"}, {":path", q.Path("/do")},
		{"x-request-id", q.ID}, {"content-length", strconv.Itoa(length)},
	} {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = f.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: length == 0})
	f.answers[stream] = &answer{Response: http.Response{Header: make(http.Header)}}
	return stream
}

// send sends n bytes of a body, and its end.
func (f *framed) send(stream uint32, n int, end bool) {
	_ = f.frames.WriteData(stream, end, bytes.Repeat([]byte("x"), n))
}

func (f *framed) reset(stream uint32) { _ = f.frames.WriteRSTStream(stream, http2.ErrCodeCancel) }

var errGoneAway = errors.New("the server has gone away")

// until reads frames until enough is true of an answer.
func (f *framed) until(stream uint32, enough func(*answer) bool) error {
	a := f.answers[stream]
	for !enough(a) && !a.reset {
		if err := f.next(); err != nil {
			return err
		}
	}
	return nil
}

func whole(a *answer) bool { return a.whole }

// next reads a frame, and answers what has to be.
func (f *framed) next() error {
	frame, err := f.frames.ReadFrame()
	if err != nil {
		return err
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return f.frames.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return f.frames.WritePing(true, frame.Data)
		}
	case *http2.GoAwayFrame:
		if frame.ErrCode != http2.ErrCodeNo {
			return errGoneAway
		}
	default:
		a := f.answers[frame.Header().StreamID]
		if a != nil {
			a.take(frame)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			f.tell(data, a == nil || a.whole)
		}
	}
	return nil
}

func (f *framed) tell(data *http2.DataFrame, over bool) {
	n, stream := len(data.Data()), data.StreamID
	if over {
		stream = 0
	}
	if n > 0 && f.read != nil {
		f.read(stream, n)
	}
}

// take adds a frame to its answer.
func (a *answer) take(frame http2.Frame) {
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		for _, field := range frame.Fields {
			if field.Name == ":status" {
				a.StatusCode, _ = strconv.Atoi(field.Value)
				a.Status = field.Value
			} else {
				a.Header.Add(field.Name, field.Value)
			}
		}
		a.whole = frame.StreamEnded()
	case *http2.DataFrame:
		a.body = append(a.body, frame.Data()...)
		a.whole = frame.StreamEnded()
	case *http2.RSTStreamFrame:
		a.reset = true
	}
}

// allow gives n bytes back to the window of a stream and of its connection.
func (f *framed) allow(stream uint32, n int) {
	_ = f.frames.WriteWindowUpdate(0, uint32(n))
	if stream != 0 {
		_ = f.frames.WriteWindowUpdate(stream, uint32(n))
	}
}

// dial opens a connection, on which everything has patience as its limit.
func dial(addr string) *net.TCPConn {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}
