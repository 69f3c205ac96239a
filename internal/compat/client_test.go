package compat_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/servertest"
	"github.com/chi-bgtasks/chi-bgtasks/internal/shapes"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A client speaks HTTP/2 frame by frame, and writes down those that it receives. It leaves out
// what depends on when the request's body has arrived: a server that has ended the response
// before that resets the stream, and again for each frame of the body.
type client struct {
	t       testing.TB
	conn    *servertest.Conn
	frames  *http2.Framer
	decoder *hpack.Decoder
	log     map[uint32][]string // by stream; 0 has GOAWAY only
	ended   map[uint32]bool     // 0, which is no response's, has
	racing  map[uint32]bool     // the body was sent without waiting for the server
	ends    map[uint32]int64    // where in what the server has written
	body    func(stream uint32, status string)

	promised []uint32 // the streams of PUSH_PROMISE
}

// dial leaves flow control out of it, by windows that no test fills.
func dial(t testing.TB, p servertest.Protocol, s *servertest.Server) *client {
	conn, err := servertest.Dial(p, s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c := newClient(t, conn)
	c.greet()
	return c
}

func newClient(t testing.TB, conn *servertest.Conn) *client {
	decoder := hpack.NewDecoder(4096, nil)
	frames := http2.NewFramer(conn, conn)
	frames.ReadMetaHeaders = decoder
	return &client{
		t: t, conn: conn, frames: frames, decoder: decoder,
		log: map[uint32][]string{}, ended: map[uint32]bool{0: true}, racing: map[uint32]bool{}, ends: map[uint32]int64{},
		body: func(uint32, string) {},
	}
}

func (c *client) greet() {
	_, err := io.WriteString(c.conn, http2.ClientPreface)
	require.NoError(c.t, err)
	require.NoError(c.t, c.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	require.NoError(c.t, c.frames.WriteWindowUpdate(0, 1<<30))
}

// exchange sends the shape's request, and then another on the same connection. It returns
// the frames that came back, by stream. A server that goes away answers no second one.
func (c *client) exchange(s shapes.Shape, scheme, host string) map[uint32][]string {
	c.request(1, s, scheme, host)
	c.readUntil(func() bool { return c.ended[1] && !slices.ContainsFunc(c.promised, c.open) })
	c.request(3, shapes.Shape{Path: shapes.Probe}, scheme, host)
	c.readUntil(func() bool { return c.ended[3] || c.log[0] != nil })
	return c.log
}

func (c *client) request(stream uint32, s shapes.Shape, scheme, host string) {
	pairs := []string{":method", s.Verb(), ":scheme", scheme, ":authority", host, ":path", s.Target()}
	for key, value := range s.Header {
		pairs = append(pairs, strings.ToLower(key), value)
	}
	if s.Body != "" {
		pairs = append(pairs, "content-length", strconv.Itoa(len(s.Body)))
	}
	// Refusals are the server's affair: it may have closed the connection.
	_ = c.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block(pairs), EndStream: s.Body == "", EndHeaders: true,
	})
	c.body = func(of uint32, status string) {
		atContinue := s.SendBody == shapes.AfterContinue && status == "100"
		atHead := s.SendBody == shapes.AfterHead && status >= "200"
		if of == stream && (atContinue || atHead) {
			c.sendBody(stream, s.Body)
		}
	}
	if s.Body != "" && s.SendBody == shapes.AtOnce {
		c.racing[stream] = true
		c.sendBody(stream, s.Body)
	}
}

// block encodes without the dynamic table: the fields of one request, in order.
func block(pairs []string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1], Sensitive: true})
	}
	return b.Bytes()
}

func (c *client) sendBody(stream uint32, body string) {
	const most = 16 << 10
	for len(body) > most {
		_ = c.frames.WriteData(stream, false, []byte(body[:most]))
		body = body[most:]
	}
	_ = c.frames.WriteData(stream, true, []byte(body))
}

// readUntil reads until enough is true or the server has closed the connection.
func (c *client) readUntil(enough func() bool) {
	for !enough() {
		f, err := c.frames.ReadFrame()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(c.t, err, "%.1000v", c.log)
		c.receive(f)
	}
}

func (c *client) receive(f http2.Frame) {
	id := f.Header().StreamID
	if c.ended[id] && c.racing[id] {
		return
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = c.frames.WriteSettingsAck()
		}
		return
	case *http2.WindowUpdateFrame, *http2.PingFrame:
		return // when these come depends on how fast the connection is read
	case *http2.MetaHeadersFrame:
		c.note(id, "HEADERS %v %s", f.Flags, fields(f.Fields))
		c.body(id, f.PseudoValue("status"))
	case *http2.PushPromiseFrame:
		promised, err := c.decoder.DecodeFull(f.HeaderBlockFragment())
		require.NoError(c.t, err)
		c.promised = append(c.promised, f.PromiseID)
		c.note(id, "PUSH_PROMISE %d %s", f.PromiseID, fields(promised))
	case *http2.DataFrame:
		c.note(id, "DATA %v %s", f.Flags, content(f.Data()))
	case *http2.RSTStreamFrame:
		c.note(id, "RST_STREAM %v", f.ErrCode)
		c.end(id)
	case *http2.GoAwayFrame:
		c.note(0, "GOAWAY %v", f.ErrCode)
	default:
		c.note(id, "%v", f.Header())
	}
	if f.Header().Flags.Has(http2.FlagDataEndStream) && id != 0 {
		c.end(id)
	}
}

func (c *client) open(stream uint32) bool { return !c.ended[stream] }

func (c *client) end(stream uint32) {
	c.ended[stream] = true
	c.ends[stream] = c.conn.Consumed()
}

func (c *client) note(stream uint32, format string, args ...any) {
	c.log[stream] = append(c.log[stream], fmt.Sprintf(format, args...))
}

func fields(all []hpack.HeaderField) string {
	var b strings.Builder
	for _, f := range all {
		if f.Name == "date" {
			f.Value = "-"
		}
		fmt.Fprintf(&b, "%s: %q, ", f.Name, f.Value)
	}
	return b.String()
}

// content is readable where it is short, and comparable always.
func content(p []byte) string {
	if len(p) <= 200 {
		return strconv.Quote(string(p))
	}
	return fmt.Sprintf("%d bytes %x", len(p), sha256.Sum256(p))
}
