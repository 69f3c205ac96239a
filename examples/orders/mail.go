package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
)

// A Mailer delivers mail.
type Mailer interface {
	Send(ctx context.Context, m *Mail) error
}

// Mail is a message to one recipient. Its name is unique, within one database, to what it is about, so that
// sending it again is recognised.
type Mail struct {
	Name    string
	Key     string // of the message, for those who get it twice: the ID that it has; none: its name
	To      string
	Subject string
	Text    string
}

// errHostile is for values that would become more than the header that they are meant for.
var errHostile = errors.New("control characters in a mail header")

func confirmationMail(o Order) (*Mail, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "Thank you for order %d.\n\n", o.ID)
	for _, line := range o.Items {
		fmt.Fprintf(&text, "%6d x %s\n", line.Quantity, line.ID)
	}
	m := &Mail{
		Name:    fmt.Sprintf("order-%d", o.ID),
		To:      o.Email,
		Subject: fmt.Sprintf("Order %d of customer %s", o.ID, o.CustomerID),
		Text:    text.String(),
	}
	return m, m.check()
}

func (m *Mail) check() error {
	for _, value := range []string{m.Name, m.Key, m.To, m.Subject} {
		if hasControl(value) {
			return fmt.Errorf("%w: %q", errHostile, value)
		}
	}
	if _, err := parseAddress(m.To); err != nil {
		return err
	}
	return nil
}

func hasControl(s string) bool { return strings.IndexFunc(s, unicode.IsControl) >= 0 }

// parseAddress takes a bare address only, without a display name or a comment.
func parseAddress(s string) (string, error) {
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s || hasControl(s) {
		return "", fmt.Errorf("not an e-mail address: %q", s)
	}
	return a.Address, nil
}

// message is m in the form in which it is sent.
func (m *Mail) message(from string) (*mail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithEncoding(mail.EncodingQP))
	if err := errors.Join(msg.From(from), msg.To(m.To)); err != nil {
		return nil, err
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, err
	}
	domain := sender.Address[strings.LastIndexByte(sender.Address, '@')+1:]
	msg.SetMessageIDWithValue(cmp.Or(m.Key, m.Name) + "@" + domain)
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	return msg, nil
}

// Outbox is a folder in which mail becomes a file, for want of a server.
type Outbox struct{ Dir, From string }

// Send writes the file as a whole or not at all.
func (o Outbox) Send(_ context.Context, m *Mail) error {
	msg, err := m.message(o.From)
	if err != nil {
		return err
	}
	part := filepath.Join(o.Dir, m.Name+".part")
	if err := msg.WriteToFile(part); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(o.Dir, m.Name+".eml"))
}

// SMTP is a server that takes mail.
type SMTP struct{ Addr, From string }

// Send delivers m over a connection of its own. Its time is limited by ctx, whose end closes
// the connection: package mail looks at ctx only until it is connected, and its own limit
// starts anew with each reply.
func (s SMTP) Send(ctx context.Context, m *Mail) error {
	msg, err := m.message(s.From)
	if err != nil {
		return err
	}
	host, port, err := splitAddr(s.Addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := mail.NewClient(host, mail.WithPort(port), mail.WithTLSPolicy(mail.TLSOpportunistic),
		mail.WithTimeout(noLimit), mail.WithDialContextFunc(dialUntil(ctx)))
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err != nil && msg.IsDelivered() { // the server has taken it: what went wrong is the goodbye
		slog.WarnContext(ctx, "mail sent, but its connection did not end well", "error", err)
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// isRefused reports that the server takes no mail for this recipient, and would not the next time either
// (RFC 5321, 4.2.1: a reply of 5yz): there is nobody of that name, say.
func isRefused(err error) bool {
	var refused *mail.SendError
	return errors.As(err, &refused) && refused.Reason == mail.ErrSMTPRcptTo && refused.ErrorCode() >= 500
}

// noLimit is longer than any mail is meant to take.
const noLimit = time.Hour

// dialUntil makes connections that are closed at the end of ctx.
func dialUntil(ctx context.Context) mail.DialContextFunc {
	return func(dialCtx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(dialCtx, network, addr)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

func splitAddr(addr string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(service)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("not a host and port: %q", addr)
	}
	return host, port, nil
}
