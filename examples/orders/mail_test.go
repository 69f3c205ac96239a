package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const from = "orders@shop.example"

func testMail() *Mail {
	return &Mail{Name: "order-1", To: "you@example.com", Subject: "Order 1", Text: "Thank you.\n"}
}

// mailers are both ways of delivering, each with what it has delivered.
func mailers(t *testing.T) map[string]struct {
	Mailer
	delivered func() [][]byte
} {
	server := startMailServer(t)
	outbox := Outbox{Dir: t.TempDir(), From: from}
	return map[string]struct {
		Mailer
		delivered func() [][]byte
	}{
		"SMTP": {SMTP{server.addr, from}, func() (all [][]byte) {
			for _, m := range server.mail() {
				all = append(all, m.data)
			}
			return all
		}},
		"outbox": {outbox, func() (all [][]byte) {
			entries, err := os.ReadDir(outbox.Dir)
			require.NoError(t, err)
			for _, entry := range entries {
				data, err := os.ReadFile(filepath.Join(outbox.Dir, entry.Name()))
				require.NoError(t, err)
				all = append(all, data)
			}
			return all
		}},
	}
}

func TestMailArrivesAsItWasWritten(t *testing.T) {
	for name, mailer := range mailers(t) {
		t.Run(name, func(t *testing.T) {
			m := &Mail{
				Name:    "order-12",
				To:      "o'brien+shop@example.com",
				Subject: "Order 12 of Zoë & 株式会社 " + strings.Repeat("long ", 60) + "end",
				Text:    ".\n.a line with a dot\nFrom here: 100 % = <ok>\n" + strings.Repeat("x", 200) + "\ntrailing space \nZoë\n",
			}
			require.NoError(t, mailer.Send(t.Context(), m))
			all := mailer.delivered()
			require.Len(t, all, 1)
			got := parseLetter(t, all[0])
			assert.Equal(t, m.Subject, got.subject)
			assert.Equal(t, strings.ReplaceAll(m.Text, "\n", "\r\n"), got.text)
			assert.Equal(t, []string{"<o'brien+shop@example.com>"}, got.header["To"])
			assert.Equal(t, []string{"<orders@shop.example>"}, got.header["From"])
			assert.Equal(t, []string{"<order-12@shop.example>"}, got.header["Message-Id"])
			_, err := got.header.Date()
			assert.NoError(t, err)
			for line := range strings.Lines(string(all[0])) {
				assert.LessOrEqual(t, len(line), 1000, "as SMTP wants it")
			}
		})
	}
}

func TestSenderWithAName(t *testing.T) {
	server := startMailServer(t)
	require.NoError(t, SMTP{server.addr, `"The Shop" <orders@shop.example>`}.Send(t.Context(), testMail()))
	require.Len(t, server.mail(), 1)
	assert.Equal(t, from, server.mail()[0].from)
	got := parseLetter(t, server.mail()[0].data)
	assert.Equal(t, `"The Shop" <orders@shop.example>`, got.header.Get("From"))
	assert.Equal(t, "<order-1@shop.example>", got.header.Get("Message-Id"))
}

func TestHostileHeadersAreRefused(t *testing.T) {
	hostile := map[string]func(m *Mail){
		"line break in the subject":     func(m *Mail) { m.Subject = "Hello\r\nBcc: all@example.com" },
		"line feed in the subject":      func(m *Mail) { m.Subject = "Hello\nBcc: all@example.com" },
		"carriage return":               func(m *Mail) { m.Subject = "Hello\rBcc: all@example.com" },
		"NUL":                           func(m *Mail) { m.Subject = "Hello\x00" },
		"next line (U+0085)":            func(m *Mail) { m.Subject = "Hello\u0085Bcc: all@example.com" },
		"line break in the name":        func(m *Mail) { m.Name = "order-1\r\nBcc: all@example.com\r\nX: " },
		"line break in the address":     func(m *Mail) { m.To = "you@example.com\r\nBcc: all@example.com" },
		"folded address":                func(m *Mail) { m.To = "you@example.com\r\n ,all@example.com" },
		"two addresses":                 func(m *Mail) { m.To = "you@example.com, all@example.com" },
		"address with a name":           func(m *Mail) { m.To = "You <you@example.com>" },
		"address with a comment":        func(m *Mail) { m.To = "you@example.com (you)" },
		"address of a group":            func(m *Mail) { m.To = "all: you@example.com, me@example.com;" },
		"SMTP command in the address":   func(m *Mail) { m.To = "you@example.com> SIZE=1\r\nRCPT TO:<all@example.com" },
		"quoted line break in address":  func(m *Mail) { m.To = "\"a\r\nBcc: all\"@example.com" },
		"address that is not one":       func(m *Mail) { m.To = "nobody" },
		"no address":                    func(m *Mail) { m.To = "" },
		"angle brackets in the address": func(m *Mail) { m.To = "<you@example.com>" },
	}
	for name, mailer := range mailers(t) {
		for what, spoil := range hostile {
			t.Run(name+"/"+what, func(t *testing.T) {
				m := testMail()
				spoil(m)
				require.Error(t, mailer.Send(t.Context(), m))
				assert.Empty(t, mailer.delivered())
			})
		}
	}
}

func TestOutboxHasOneFileAMail(t *testing.T) {
	outbox := Outbox{Dir: t.TempDir(), From: from}
	m := testMail()
	require.NoError(t, outbox.Send(t.Context(), m))
	m.Text = "once more\n"
	require.NoError(t, outbox.Send(t.Context(), m))
	entries, err := os.ReadDir(outbox.Dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "the same mail again is the same file, and no part is left")
	assert.Equal(t, "order-1.eml", entries[0].Name())
	data, err := os.ReadFile(filepath.Join(outbox.Dir, "order-1.eml"))
	require.NoError(t, err)
	assert.Contains(t, parseLetter(t, data).text, "once more")
}

func TestOutboxThatIsNotThereIsAnError(t *testing.T) {
	outbox := Outbox{Dir: filepath.Join(t.TempDir(), "none"), From: from}
	require.ErrorIs(t, outbox.Send(t.Context(), testMail()), os.ErrNotExist)
}

func TestServerThatRefusesIsAnError(t *testing.T) {
	server := startMailServer(t)
	server.refuse("you@example.com")
	require.ErrorContains(t, SMTP{server.addr, from}.Send(t.Context(), testMail()), "nobody of that name")
	assert.Empty(t, server.mail())
}

func TestServerThatIsNotThereIsAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	require.ErrorContains(t, SMTP{addr, from}.Send(t.Context(), testMail()), "refused")
}

// silentServer answers so many commands of a client that says hello, and then no more. It
// reports that, and afterwards that the client has gone.
func silentServer(t *testing.T, answers int) (addr string, silent, gone chan struct{}) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	silent, gone = make(chan struct{}), make(chan struct{})
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for _, answer := range []string{"220 hello", "250 mail.test", "250 sender", "250 recipient", "354 data"}[:answers] {
			fmt.Fprintf(conn, "%s\r\n", answer)
			lines.Scan()
		}
		close(silent)
		for lines.Scan() {
			continue
		}
		close(gone)
	}()
	return ln.Addr().String(), silent, gone
}

func TestHangingServerIsLeftAtTheEndOfTheContext(t *testing.T) {
	for answers := range 6 {
		t.Run(fmt.Sprintf("after %d answers", answers), func(t *testing.T) {
			addr, silent, gone := silentServer(t, answers)
			over := errors.New("over")
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- SMTP{addr, from}.Send(ctx, testMail()) }()
			receive(t, "the server's silence", silent)
			cancel(over)
			require.ErrorIs(t, receive(t, "the end of Send", ended), over)
			receive(t, "the end of the connection", gone)
		})
	}
}

// What follows the server's answer to the message is no matter: the customer has it.
func TestMailThatTheServerHasTakenIsSentThoughTheConnectionBreaks(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		fmt.Fprint(conn, "220 hello\r\n")
		for lines.Scan() && lines.Text() != "DATA" {
			fmt.Fprint(conn, "250 fine\r\n")
		}
		fmt.Fprint(conn, "354 data\r\n")
		for lines.Scan() && lines.Text() != "." {
			continue
		}
		fmt.Fprint(conn, "250 taken\r\n")
	}()
	require.NoError(t, SMTP{ln.Addr().String(), from}.Send(t.Context(), testMail()))
}
