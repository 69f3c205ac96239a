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
	keeper         string
	mailTimeout    time.Duration
	webhook        string
	webhookTimeout time.Duration
	crm            string
	crmTimeout     time.Duration
	taskTimeout    time.Duration
	grace          time.Duration
	maxPending     int
	maxRunning     int
	logFormat      string
	faults         bool
	pace           time.Duration
	demo           bool
	debug          string
	metrics        bool
	durable        bool
	database       string
	lease          time.Duration
	rescue         time.Duration
	riverUI        bool
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
	fs.StringVar(&c.keeper, "keeper", "keeper@shop.example", "`address` of the shop's keeper, who is told of items, imports and reports")
	fs.DurationVar(&c.mailTimeout, "mail-timeout", 30*time.Second, "time for sending a mail")
	fs.StringVar(&c.webhook, "webhook", "", "`URL` that is told of orders to fulfil and of images (default none)")
	fs.DurationVar(&c.webhookTimeout, "webhook-timeout", 5*time.Second, "time for an attempt at the webhook")
	fs.StringVar(&c.crm, "crm", "", "`URL` under which the CRM keeps customers (default none)")
	fs.DurationVar(&c.crmTimeout, "crm-timeout", 5*time.Second, "time for telling the CRM")
	fs.DurationVar(&c.taskTimeout, "task-timeout", 0, "time for a task that has no limit of its own (default none)")
	fs.DurationVar(&c.grace, "grace", 20*time.Second, "time for a shutdown: requests first, then tasks")
	fs.IntVar(&c.maxPending, "max-pending", 65536, "most tasks that may be pending; with more the answer is 503")
	fs.IntVar(&c.maxRunning, "max-running", 64, "most orders that are processed at once")
	fs.StringVar(&c.logFormat, "log", "auto", "auto, text or json: auto is text on a terminal")
	fs.BoolVar(&c.faults, "faults", false, "let requests ask for failing steps (header "+faultHeader+"), to see what happens")
	fs.DurationVar(&c.pace, "pace", 0, "pause before the work of each task, to watch (default none)")
	fs.BoolVar(&c.demo, "demo", false, "all that it takes to look around: a receiver of webhooks and a CRM of its own, failing steps, a pace, short timeouts; each of these can still be set")
	fs.StringVar(&c.debug, "debug", "", "`user:password` to show what the runner does at /debug/tasks; better in the environment than for all to see (default: not shown, or to all with -demo)")
	fs.BoolVar(&c.metrics, "metrics", false, "show metrics of the tasks and of the program, for Prometheus, at /metrics, for those who may see /debug/tasks")
	fs.BoolVar(&c.durable, "durable", false, "keep the steps of orders in the database until they are done, so that none is lost with the program: give -dir or -database too, as what is in a temporary folder is removed at the end")
	fs.StringVar(&c.database, "database", "", "`URL` of a Postgres database, for one program or several side by side: postgres://user:password@host/name, better in the environment (default: SQLite, orders.db in -dir, where files are in any case)")
	fs.DurationVar(&c.lease, "lease", 30*time.Second, "with -durable: time after which an order's steps start even if its response was never sent")
	fs.DurationVar(&c.rescue, "rescue", 0, "with -durable: time after which the steps of a killed program are taken up (default: what the steps may take and 15s)")
	fs.BoolVar(&c.riverUI, "riverui", false, "with -durable: show River's user interface at "+riverUIPath+", behind the password of -debug; without one only if -addr is of this machine, and not through a reverse proxy")

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
	if c.demo {
		if err := setDemo(fs); err != nil {
			return nil, err
		}
	}
	return c, c.check()
}

// setDemo sets what has not been set. (The servers of its own are started by run.)
func setDemo(fs *flag.FlagSet) error {
	given := given(fs)
	for name, value := range map[string]string{
		"faults":          "true",
		"metrics":         "true",
		"pace":            "400ms",
		"task-timeout":    "5s",
		"mail-timeout":    "5s",
		"crm-timeout":     "2s",
		"webhook-timeout": "2s",
		"lease":           "10s",
	} {
		if given[name] {
			continue
		}
		if err := fs.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// given are the names of the flags that have been set.
func given(fs *flag.FlagSet) map[string]bool {
	names := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { names[f.Name] = true })
	return names
}

// fromEnvironment sets the flags that have not been given.
func fromEnvironment(fs *flag.FlagSet, getenv func(string) string) error {
	given := given(fs)
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
	for _, err := range []error{c.checkMail(), c.checkDurable(), checkURL("webhook", c.webhook), checkURL("crm", c.crm), c.checkLimits(), c.checkPace()} {
		if err != nil {
			return err
		}
	}
	if user, password, _ := strings.Cut(c.debug, ":"); c.debug != "" && (user == "" || password == "") {
		return errors.New("-debug: must be user:password") // which is not to be in a log
	}
	if c.metrics && c.debug == "" && !c.demo {
		return errors.New("-metrics: needs -debug as well, for the password")
	}
	switch c.logFormat {
	case "auto", "text", "json":
		return nil
	}
	return fmt.Errorf("-log: must be auto, text or json, not %q", c.logFormat)
}

func (c *config) checkMail() error {
	if _, err := mail.ParseAddress(c.mailFrom); err != nil {
		return fmt.Errorf("-mail-from: not an address: %q", c.mailFrom)
	}
	if _, err := parseAddress(c.keeper); err != nil {
		return fmt.Errorf("-keeper: %w", err)
	}
	if c.smtp != "" {
		if _, _, err := splitAddr(c.smtp); err != nil {
			return fmt.Errorf("-smtp: %w", err)
		}
	}
	return nil
}

func (c *config) checkDurable() error {
	if c.database != "" {
		if _, err := parsePostgres(c.database); err != nil {
			return err
		}
	}
	if c.riverUI && !c.durable {
		return errors.New("-riverui: needs -durable, as it shows tasks that are stored")
	}
	if c.lease < leastLease {
		return fmt.Errorf("-lease: must be at least %v", leastLease)
	}
	if least := c.unitTimeout(); c.rescue > 0 && c.rescue < least {
		return fmt.Errorf("-rescue: must be at least %v, which is what an order's steps may take: less with shorter timeouts", least)
	}
	return nil
}

// forgets reports that what is stored of tasks goes with the temporary folder that it is in.
func (c *config) forgets() bool { return c.durable && c.dir == "" && c.database == "" }

func checkURL(name, value string) error {
	u, err := url.Parse(value)
	if value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return fmt.Errorf("-%s: not an http or https URL: %q", name, value)
	}
	return nil
}

// checkPace refuses a pace in which a task would do nothing but wait: it is part of the task's time.
func (c *config) checkPace() error {
	for _, limit := range []struct {
		name string
		time time.Duration
	}{
		{"mail-timeout", c.mailTimeout},
		{"webhook-timeout", c.webhookTimeout},
		{"crm-timeout", c.crmTimeout},
		{"task-timeout", c.taskTimeout},
	} {
		if limit.time > 0 && c.pace >= limit.time {
			return fmt.Errorf("-pace: must be less than -%s, of which it is a part: %v is not less than %v", limit.name, c.pace, limit.time)
		}
	}
	return nil
}

func (c *config) checkLimits() error {
	for _, limit := range []struct {
		name         string
		value, least int64
	}{
		{"mail-timeout", int64(c.mailTimeout), 1},
		{"webhook-timeout", int64(c.webhookTimeout), 1},
		{"crm-timeout", int64(c.crmTimeout), 1},
		{"task-timeout", int64(c.taskTimeout), 0},
		{"grace", int64(c.grace), 1},
		{"max-pending", int64(c.maxPending), 1},
		{"max-running", int64(c.maxRunning), 1},
		{"pace", int64(c.pace), 0},
		{"rescue", int64(c.rescue), 0},
	} {
		if limit.value < limit.least {
			return fmt.Errorf("-%s: must be %s", limit.name, []string{"0 or more", "more than 0"}[limit.least])
		}
	}
	return nil
}
