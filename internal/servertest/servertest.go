// Package servertest starts real servers on loopback sockets for tests, one for each
// protocol that net/http speaks, and lets them see every write to the socket.
package servertest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

// A Protocol is how clients talk to a server.
type Protocol struct {
	Name  string
	HTTP2 bool
	TLS   bool
}

// The protocols of net/http.
var (
	HTTP1    = Protocol{Name: "HTTP1"}
	HTTP1TLS = Protocol{Name: "HTTP1TLS", TLS: true}
	HTTP2    = Protocol{Name: "HTTP2", HTTP2: true, TLS: true}
	H2C      = Protocol{Name: "H2C", HTTP2: true}

	Protocols = []Protocol{HTTP1, HTTP1TLS, HTTP2, H2C}
)

// A Server serves until the test ends.
type Server struct {
	URL    string
	Addr   string
	HTTP   *http.Server
	Client *http.Client // speaks the server's protocol; does not follow redirects
}

// An Option changes a server before it starts.
type Option func(*config)

type config struct {
	unattached bool
	wrap       []func(net.Conn) net.Conn
	configure  []func(*http.Server)
}

// Unattached leaves out chimw.Attach.
func Unattached() Option { return func(c *config) { c.unattached = true } }

// WrapConn puts a layer around each accepted connection, below TLS.
func WrapConn(wrap func(net.Conn) net.Conn) Option {
	return func(c *config) { c.wrap = append(c.wrap, wrap) }
}

// Configure changes the server before it is attached.
func Configure(f func(*http.Server)) Option {
	return func(c *config) { c.configure = append(c.configure, f) }
}

// Start serves h.
func Start(t testing.TB, p Protocol, h http.Handler, opts ...Option) *Server {
	t.Helper()
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: ln.Addr().String(), HTTP: &http.Server{
		Handler:   h,
		Protocols: p.protocols(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}}
	for _, configure := range c.configure {
		configure(s.HTTP)
	}
	if !c.unattached {
		chimw.Attach(s.HTTP)
	}
	s.URL = "http://" + s.Addr
	s.Client = p.Client(t)
	if p.TLS {
		s.URL = "https://" + s.Addr
		s.HTTP.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	}
	ln = listener{ln, c.wrap}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if p.TLS {
			_ = s.HTTP.ServeTLS(ln, "", "")
		} else {
			_ = s.HTTP.Serve(ln)
		}
	}()
	t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		_ = s.HTTP.Close()
		<-served
	})
	return s
}

// Client returns a client of its own connections for p.
func (p Protocol) Client(t testing.TB) *http.Client {
	transport := &http.Transport{
		Protocols:           p.protocols(),
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: 1000,
		DisableCompression:  true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (p Protocol) protocols() *http.Protocols {
	var set http.Protocols
	set.SetHTTP1(!p.HTTP2)
	set.SetHTTP2(p.HTTP2 && p.TLS)
	set.SetUnencryptedHTTP2(p.HTTP2 && !p.TLS)
	return &set
}

// certificate is httptest's, for 127.0.0.1.
func certificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

type listener struct {
	net.Listener
	wrap []func(net.Conn) net.Conn
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for _, wrap := range l.wrap {
		c = wrap(c)
	}
	return c, nil
}

// Get sends a GET and returns the whole response.
func (s *Server) Get(ctx context.Context, path string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}
