package servertest

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Streams is a client that speaks HTTP/2 by hand, over one connection, to learn where
// in the bytes from the server each response ends. It is for one goroutine.
type Streams struct {
	*Conn
	scheme byte
	next   uint32
	bodies map[uint32]int64 // of the streams that have not ended
}

// A StreamEnd says that a response is complete.
type StreamEnd struct {
	Stream uint32
	Body   int64 // its length
	Offset int64 // of the first byte after END_STREAM's frame, in all that the server has written
}

const (
	frameData     = 0
	frameHeaders  = 1
	frameSettings = 4
	framePing     = 6
	frameWindow   = 8

	flagEndStream  = 0x1 // of DATA and HEADERS
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndHeaders = 0x4

	settingEnablePush    = 2
	settingInitialWindow = 4
	window               = 1 << 30 // so large that it need never be updated
)

// DialStreams connects to s, an HTTP/2 server of p.
func DialStreams(p Protocol, s *Server) (*Streams, error) {
	conn, err := Dial(p, s)
	if err != nil {
		return nil, err
	}
	c := &Streams{Conn: conn, scheme: 0x86, next: 1, bodies: make(map[uint32]int64)}
	if p.TLS {
		c.scheme = 0x87
	}
	hello := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	settings := binary.BigEndian.AppendUint32([]byte{0, settingEnablePush}, 0)
	settings = binary.BigEndian.AppendUint32(append(settings, 0, settingInitialWindow), window)
	hello = appendFrame(hello, frameSettings, 0, 0, settings)
	hello = appendFrame(hello, frameWindow, 0, 0, binary.BigEndian.AppendUint32(nil, window))
	_, err = c.Conn.Write(hello)
	return c, err
}

// Get asks for a path on a stream of its own, and does not wait for the response.
func (c *Streams) Get(path string) (stream uint32, err error) {
	stream = c.next
	c.next += 2
	const authority = "localhost"
	block := []byte{0x82, c.scheme, 0x01, byte(len(authority))} // :method GET, :scheme, :authority
	block = append(append(block, authority...), 0x04, byte(len(path)))
	block = append(block, path...)
	return stream, c.send(frameHeaders, flagEndHeaders|flagEndStream, stream, block)
}

// Next waits for the end of the next response.
func (c *Streams) Next() (StreamEnd, error) {
	for {
		kind, flags, stream, payload, err := c.frame()
		if err != nil {
			return StreamEnd{}, err
		}
		switch kind {
		case frameData, frameHeaders:
			if kind == frameData {
				c.bodies[stream] += int64(len(payload))
			}
			if flags&flagEndStream != 0 {
				end := StreamEnd{Stream: stream, Body: c.bodies[stream], Offset: c.Consumed()}
				delete(c.bodies, stream)
				return end, nil
			}
		case frameSettings, framePing:
			if err := c.acknowledge(kind, flags, payload); err != nil {
				return StreamEnd{}, err
			}
		case frameWindow:
		default:
			return StreamEnd{}, fmt.Errorf("frame of type %d on stream %d: %q", kind, stream, payload)
		}
	}
}

func (c *Streams) acknowledge(kind, flags byte, payload []byte) error {
	if flags&flagAck != 0 {
		return nil
	}
	if kind == frameSettings {
		payload = nil
	}
	return c.send(kind, flagAck, 0, payload)
}

func (c *Streams) frame() (kind, flags byte, stream uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c.Reader, head[:]); err != nil {
		return
	}
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c.Reader, payload)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]), payload, err
}

func (c *Streams) send(kind, flags byte, stream uint32, payload []byte) error {
	_, err := c.Conn.Write(appendFrame(nil, kind, flags, stream, payload))
	return err
}

func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}
