package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"strings"
	"time"
)

type config struct {
	addr           string
	dir            string
	smtp           string
	mailFrom       string
	mailTimeout    time.Duration
	webhook        string
	webhookTimeout time.Duration
	grace          time.Duration
	maxPending     int
	maxRunning     int
	logFormat      string
	faults         bool
}

const usage = `orders takes orders and processes them in the background.

Each flag can be set in the environment as well: -max-pending is ORDERS_MAX_PENDING.
A flag wins over the environment.

`

// parseConfig reads flags and environment. flag.ErrHelp says that help has been printed.
func parseConfig(args []string, getenv func(string) string, out io.Writer) (*config, error) {
	c := new(config)
	fs := flag.NewFlagSet("orders", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.addr, "addr", "localhost:8080", "`host:port` to listen on")
	fs.StringVar(&c.dir, "dir", "", "`folder` for the database and the outbox (default a temporary one)")
	fs.StringVar(&c.smtp, "smtp", "", "`host:port` of the SMTP server (default: mail becomes files in the outbox)")
	fs.StringVar(&c.mailFrom, "mail-from", "orders@shop.example", "`address` that mail is from")
	fs.DurationVar(&c.mailTimeout, "mail-timeout", 30*time.Second, "time for sending a mail")
	fs.StringVar(&c.webhook, "webhook", "", "`URL` that is told of orders to fulfil (default none)")
	fs.DurationVar(&c.webhookTimeout, "webhook-timeout", 5*time.Second, "time for an attempt at the webhook")
	fs.DurationVar(&c.grace, "grace", 20*time.Second, "time for a shutdown: requests first, then tasks")
	fs.IntVar(&c.maxPending, "max-pending", 65536, "most tasks that may be pending; with more the answer is 503")
	fs.IntVar(&c.maxRunning, "max-running", 64, "most orders that are processed at once")
	fs.StringVar(&c.logFormat, "log", "auto", "auto, text or json: auto is text on a terminal")
	fs.BoolVar(&c.faults, "faults", false, "let requests ask for failing steps (header "+faultHeader+"), to see what happens")

	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags", fs.Arg(0))
	}
	if err := fromEnvironment(fs, getenv); err != nil {
		return nil, err
	}
	return c, c.check()
}

// fromEnvironment sets the flags that have not been given.
func fromEnvironment(fs *flag.FlagSet, getenv func(string) string) error {
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var first error
	fs.VisitAll(func(f *flag.Flag) {
		if given[f.Name] {
			return
		}
		name := "ORDERS_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := getenv(name); value != "" {
			if err := fs.Set(f.Name, value); err != nil && first == nil {
				first = fmt.Errorf("%s: invalid value %q: %w", name, value, err)
			}
		}
	})
	return first
}

func (c *config) check() error {
	if _, err := mail.ParseAddress(c.mailFrom); err != nil {
		return fmt.Errorf("-mail-from: not an address: %q", c.mailFrom)
	}
	if c.smtp != "" {
		if _, _, err := splitAddr(c.smtp); err != nil {
			return fmt.Errorf("-smtp: %w", err)
		}
	}
	if u, err := url.Parse(c.webhook); c.webhook != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("-webhook: not an http or https URL: %q", c.webhook)
	}
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"mail-timeout", int64(c.mailTimeout)},
		{"webhook-timeout", int64(c.webhookTimeout)},
		{"grace", int64(c.grace)},
		{"max-pending", int64(c.maxPending)},
		{"max-running", int64(c.maxRunning)},
	} {
		if limit.value <= 0 {
			return fmt.Errorf("-%s: must be more than 0", limit.name)
		}
	}
	switch c.logFormat {
	case "auto", "text", "json":
		return nil
	}
	return fmt.Errorf("-log: must be auto, text or json, not %q", c.logFormat)
}
