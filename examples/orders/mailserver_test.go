package main

import (
	"bytes"
	"errors"
	"io"
	"log"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// A mailServer is a real SMTP server, which keeps the mail that it is given.
type mailServer struct {
	addr   string
	begun  chan struct{} // gets a value when a message begins to arrive
	closed chan struct{}

	mu       sync.Mutex
	received []receivedMail
	hold     chan struct{} // if not nil, no message is taken until it is closed
	refused  map[string]bool
}

type receivedMail struct {
	from string
	to   []string
	data []byte
}

func startMailServer(t *testing.T) *mailServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &mailServer{
		addr:    ln.Addr().String(),
		begun:   make(chan struct{}, 10_000),
		closed:  make(chan struct{}),
		refused: make(map[string]bool),
	}
	srv := smtp.NewServer(m)
	srv.Domain = "mail.test"
	srv.ErrorLog = log.New(io.Discard, "", 0)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(ln)
	}()
	t.Cleanup(func() {
		close(m.closed)
		_ = srv.Close()
		<-served
	})
	return m
}

// holdBack has no message taken until the returned function is called.
func (m *mailServer) holdBack(t *testing.T) (release func()) {
	hold := make(chan struct{})
	m.mu.Lock()
	m.hold = hold
	m.mu.Unlock()
	release = sync.OnceFunc(func() {
		m.mu.Lock()
		m.hold = nil
		m.mu.Unlock()
		close(hold)
	})
	t.Cleanup(release)
	return release
}

// refuse has mail to that address refused.
func (m *mailServer) refuse(to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[to] = true
}

func (m *mailServer) mail() []receivedMail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]receivedMail(nil), m.received...)
}

// NewSession is called for each connection.
func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: m}, nil
}

type mailSession struct {
	server *mailServer
	mail   receivedMail
}

func (s *mailSession) Reset()        { s.mail = receivedMail{} }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.refused[to] {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that name"}
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) (err error) {
	if s.mail.data, err = io.ReadAll(r); err != nil {
		return err
	}
	m := s.server
	m.begun <- struct{}{}
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-m.closed:
			return errors.New("closed")
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received = append(m.received, s.mail)
	return nil
}

// A letter is a message as its reader's program understands it.
type letter struct {
	header  netmail.Header
	subject string
	text    string
}

func parseLetter(t *testing.T, data []byte) letter {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, "quoted-printable", msg.Header.Get("Content-Transfer-Encoding"))
	require.Equal(t, "text/plain; charset=UTF-8", msg.Header.Get("Content-Type"))
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	require.NoError(t, err)
	return letter{msg.Header, subject, string(text)}
}
