package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// settings are all flags, each with a value that is not its default.
var settings = map[string]string{
	"addr":            "127.0.0.1:1",
	"dir":             "/somewhere",
	"smtp":            "[::1]:25",
	"mail-from":       "Shop <shop@shop.example>",
	"keeper":          "ann@shop.example",
	"mail-timeout":    "1m",
	"webhook":         "https://warehouse.example/orders?key=1",
	"webhook-timeout": "250ms",
	"crm":             "https://crm.example/customers",
	"crm-timeout":     "2s",
	"task-timeout":    "3s",
	"grace":           "1h",
	"max-pending":     "1",
	"max-running":     "2",
	"log":             "json",
	"faults":          "true",
	"pace":            "1ms",
	"demo":            "true",
	"debug":           "ann:secret",
	"metrics":         "true",
	"durable":         "true",
	"database":        "postgres://ann:secret@db.example/shop",
	"lease":           "20s",
	"rescue":          "2h",
	"riverui":         "true",
}

var changed = config{
	addr:           "127.0.0.1:1",
	dir:            "/somewhere",
	smtp:           "[::1]:25",
	mailFrom:       "Shop <shop@shop.example>",
	keeper:         "ann@shop.example",
	mailTimeout:    time.Minute,
	webhook:        "https://warehouse.example/orders?key=1",
	webhookTimeout: 250 * time.Millisecond,
	crm:            "https://crm.example/customers",
	crmTimeout:     2 * time.Second,
	taskTimeout:    3 * time.Second,
	grace:          time.Hour,
	maxPending:     1,
	maxRunning:     2,
	logFormat:      "json",
	faults:         true,
	pace:           time.Millisecond,
	demo:           true,
	debug:          "ann:secret",
	metrics:        true,
	durable:        true,
	database:       "postgres://ann:secret@db.example/shop",
	lease:          20 * time.Second,
	rescue:         2 * time.Hour,
	riverUI:        true,
}

func envName(flagName string) string {
	return "ORDERS_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func configOf(env map[string]string, args ...string) (*config, error) {
	return parseConfig(args, func(name string) string { return env[name] }, new(bytes.Buffer))
}

func TestNoSettingIsNeeded(t *testing.T) {
	c, err := configOf(nil)
	require.NoError(t, err)
	assert.Equal(t, &config{
		addr:           "localhost:8080",
		mailFrom:       "orders@shop.example",
		keeper:         "keeper@shop.example",
		mailTimeout:    30 * time.Second,
		webhookTimeout: 5 * time.Second,
		crmTimeout:     5 * time.Second,
		grace:          20 * time.Second,
		maxPending:     65536,
		maxRunning:     64,
		logFormat:      "auto",
		lease:          30 * time.Second,
	}, c)
}

func TestFlagsAndEnvironmentHaveTheSameNames(t *testing.T) {
	env, args := map[string]string{}, []string{}
	for name, value := range settings {
		env[envName(name)] = value
		args = append(args, "-"+name+"="+value)
	}
	byFlags, err := configOf(nil, args...)
	require.NoError(t, err)
	assert.Equal(t, &changed, byFlags)
	byEnvironment, err := configOf(env)
	require.NoError(t, err)
	assert.Equal(t, &changed, byEnvironment)
}

func TestFlagWinsOverTheEnvironment(t *testing.T) {
	c, err := configOf(map[string]string{"ORDERS_MAX_PENDING": "7", "ORDERS_FAULTS": "true"}, "-max-pending", "8", "-faults=false")
	require.NoError(t, err)
	assert.Equal(t, 8, c.maxPending)
	assert.False(t, c.faults)
}

func TestDemoSetsWhatIsNotSet(t *testing.T) {
	c, err := configOf(map[string]string{"ORDERS_PACE": "1s"}, "-demo", "-faults=false", "-metrics=false", "-mail-timeout", "9s")
	require.NoError(t, err)
	assert.False(t, c.faults)
	assert.False(t, c.metrics)
	assert.Equal(t, time.Second, c.pace)
	assert.Equal(t, 9*time.Second, c.mailTimeout)
	assert.Equal(t, 5*time.Second, c.taskTimeout)

	c, err = configOf(nil, "-demo")
	require.NoError(t, err)
	assert.True(t, c.faults)
	assert.True(t, c.metrics)
	assert.Equal(t, 400*time.Millisecond, c.pace)
}

func TestHelpExplainsEachSetting(t *testing.T) {
	for _, arg := range []string{"-h", "-help", "--help"} {
		var out bytes.Buffer
		_, err := parseConfig([]string{arg}, func(string) string { return "" }, &out)
		require.ErrorIs(t, err, flag.ErrHelp)
		assert.Contains(t, out.String(), "ORDERS_MAX_PENDING")
		for name := range settings {
			assert.Contains(t, out.String(), "\n  -"+name)
		}
		assert.Equal(t, len(settings), strings.Count(out.String(), "\n  -"), "settings knows them all")
	}
}

// badSettings are flags and values, each with what the error has to name.
var badSettings = []struct{ name, value, says string }{
	{"mail-from", "nobody", `"nobody"`},
	{"mail-from", "a@example.com\r\nBcc: b@example.com", "-mail-from"},
	{"smtp", "mail.example", "mail.example"},
	{"smtp", ":25", ":25"},
	{"smtp", "mail.example:smtp", "mail.example:smtp"},
	{"smtp", "mail.example:0", "mail.example:0"},
	{"smtp", "mail.example:65536", "mail.example:65536"},
	{"webhook", "warehouse.example", "warehouse.example"},
	{"webhook", "ftp://warehouse.example", "ftp://"},
	{"webhook", "http://", "http://"},
	{"webhook", "http://bad host/", "bad host"},
	{"webhook", "http://%zz", "%zz"},
	{"keeper", "nobody", `"nobody"`},
	{"keeper", "Ann <ann@shop.example>", "Ann"},
	{"crm", "crm.example", "crm.example"},
	{"crm", "ftp://crm.example", "ftp://"},
	{"crm-timeout", "0", "more than 0"},
	{"task-timeout", "-1s", "0 or more"},
	{"pace", "-1ms", "0 or more"},
	{"pace", "5s", "less than -webhook-timeout"},
	{"demo", "maybe", "maybe"},
	{"debug", "ann", "user:password"},
	{"debug", "ann:", "user:password"},
	{"debug", ":secret", "user:password"},
	{"metrics", "true", "needs -debug"},
	{"metrics", "maybe", "maybe"},
	{"database", "nonsense", "postgres://user:password@host"},
	{"database", "host=db.example dbname=shop", "postgres://user:password@host"},
	{"database", "mysql://db.example/shop", "postgres://user:password@host"},
	{"database", "postgres://%zz", "postgres://user:password@host"},
	{"durable", "maybe", "maybe"},
	{"riverui", "true", "needs -durable"},
	{"lease", "9s", "at least 10s"},
	{"rescue", "1m", "at least 1m5s"},
	{"rescue", "-1s", "0 or more"},
	{"mail-timeout", "0", "more than 0"},
	{"mail-timeout", "soon", "soon"},
	{"webhook-timeout", "-1s", "more than 0"},
	{"webhook-timeout", "5", "5"},
	{"grace", "0s", "more than 0"},
	{"max-pending", "0", "more than 0"},
	{"max-pending", "many", "many"},
	{"max-running", "-1", "more than 0"},
	{"max-running", "1e3", "1e3"},
	{"log", "xml", "xml"},
	{"faults", "maybe", "maybe"},
}

func TestBadSettingIsSaidInOneLine(t *testing.T) {
	for _, bad := range badSettings {
		t.Run(bad.name+"="+bad.value, func(t *testing.T) {
			_, byFlag := configOf(nil, "-"+bad.name+"="+bad.value)
			_, byEnvironment := configOf(map[string]string{envName(bad.name): bad.value})
			for _, err := range []error{byFlag, byEnvironment} {
				require.ErrorContains(t, err, bad.says)
				assert.NotContains(t, err.Error(), "\n")
			}
			assert.ErrorContains(t, byFlag, bad.name)
		})
	}
}

// A task waits for its pace within its own time.
func TestPaceLeavesTimeForEachTask(t *testing.T) {
	for _, name := range []string{"mail-timeout", "webhook-timeout", "crm-timeout", "task-timeout"} {
		_, err := configOf(nil, "-pace=300ms", "-"+name+"=300ms")
		require.ErrorContains(t, err, "-pace: must be less than -"+name)
		_, err = configOf(nil, "-pace=300ms", "-"+name+"=301ms")
		assert.NoError(t, err)
	}
}

func TestDurableWithoutAPlaceThatStaysForgets(t *testing.T) {
	for forgets, flags := range map[bool][][]string{
		true:  {{"-durable"}, {"-demo", "-durable"}},
		false: {{"-demo"}, {"-durable", "-dir=shop"}, {"-durable", "-database=postgres://db.example/shop"}},
	} {
		for _, f := range flags {
			cfg, err := configOf(nil, f...)
			require.NoError(t, err)
			assert.Equal(t, forgets, cfg.forgets(), f)
		}
	}
}

func TestTwoBadSettingsAreOneLine(t *testing.T) {
	_, err := configOf(map[string]string{"ORDERS_GRACE": "soon", "ORDERS_MAX_PENDING": "many"})
	require.ErrorContains(t, err, "ORDERS_GRACE")
	assert.NotContains(t, err.Error(), "\n")
}

func TestWhatIsNoFlagIsAnError(t *testing.T) {
	_, err := configOf(nil, "-no-such-flag")
	require.ErrorContains(t, err, "-no-such-flag")
	_, err = configOf(nil, "-faults", "true")
	require.ErrorContains(t, err, `"true"`, "a boolean flag takes no separate value")
}
