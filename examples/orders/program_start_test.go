package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runToEnd runs the program with these settings only, which have to make it end by itself.
func runToEnd(t *testing.T, env []string, flags ...string) (code int, stdout, stderr string) {
	t.Helper()
	file, err := binary()
	require.NoError(t, err)
	var out, errs logbook
	cmd := exec.CommandContext(t.Context(), file, flags...)
	cmd.Env = environment(env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	done := make(chan struct{})
	require.NoError(t, cmd.Start())
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	receive(t, "the program's end", done)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// assertRefusal finds one clear line, and nothing else.
func assertRefusal(t *testing.T, says string, env []string, flags ...string) {
	t.Helper()
	code, stdout, stderr := runToEnd(t, env, flags...)
	assert.Equal(t, 1, code)
	assert.Empty(t, stdout)
	assert.True(t, strings.HasPrefix(stderr, "orders: "), stderr)
	assert.Contains(t, stderr, says)
	assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
}

func TestHelpIsPrintedAndNoFailure(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runToEnd(t, nil, "-h")
	assert.Zero(t, code)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "orders takes orders")
	assert.Contains(t, stdout, "-webhook-timeout duration")
}

func TestBadSettingsEndTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, bad := range badSettings {
		assertRefusal(t, bad.name, nil, "-dir", dir, "-addr", "127.0.0.1:0", "-"+bad.name+"="+bad.value)
	}
	assertRefusal(t, "ORDERS_GRACE", []string{"ORDERS_GRACE=soon", "ORDERS_MAX_PENDING=many"}, "-dir", dir)
	assertRefusal(t, "no-such-flag", nil, "-no-such-flag")
	assertRefusal(t, "only flags", nil, "serve")
	assertEmpty(t, dir)
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestAddressThatCannotBeListenedOnEndsTheProgram(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	for addr, says := range map[string]string{
		busy.Addr().String(): "address already in use",
		"nonsense":           "nonsense",
		"127.0.0.1:99999":    "99999",
		"192.0.2.1:0":        "192.0.2.1",
	} {
		assertRefusal(t, says, nil, "-dir", t.TempDir(), "-addr", addr)
	}
}

func TestFolderThatCannotBeUsedEndsTheProgram(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	taken, noOutbox, garbage := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(taken, "orders.db"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(noOutbox, "outbox"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(garbage, "orders.db"), []byte(strings.Repeat("garbage ", 1000)), 0o644))
	for dir, says := range map[string]string{
		file:                        file,
		filepath.Join(file, "deep"): file,
		taken:                       filepath.Join(taken, "orders.db"),
		noOutbox:                    filepath.Join(noOutbox, "outbox"),
		garbage:                     "not a database",
		unwritable(t):               "unable to open database file",
	} {
		assertRefusal(t, says, nil, "-addr", "127.0.0.1:0", "-dir", dir)
	}
}

// unwritable is a folder that nobody can make files in, not even root on Linux.
func unwritable(t *testing.T) string {
	t.Helper()
	if info, err := os.Stat("/proc"); err == nil && info.IsDir() {
		return "/proc"
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o555))
	return dir
}

func TestFolderIsMadeWhereItIsNotThere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "with space")
	p := start(t, "-dir", dir)
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	assert.FileExists(t, filepath.Join(dir, "orders.db"))
	assert.FileExists(t, filepath.Join(dir, "outbox", "order-1.eml"))
}

func TestTemporaryFolderIsRemovedAtTheEnd(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	p := startIn(t, []string{"TMPDIR=" + tmp}, "-dir", "")
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	entries, err := os.ReadDir(tmp)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	p.stop()
	assertEmpty(t, tmp)
}

func TestEnvironmentConfiguresTheProgram(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := startIn(t, []string{"ORDERS_SMTP=" + mail.addr, "ORDERS_LOG=json", "ORDERS_FAULTS=true"})
	got := p.processed(p.order(goodOrder, "X-Fault", "notify fulfilment=fail"))
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed", "succeeded"}, states(got))
	assert.Len(t, mail.mail(), 1)
}

func TestProgramSaysWhereItListensAndHowToTryIt(t *testing.T) {
	t.Parallel()
	p := start(t)
	eventually(t, "the hint", func() bool { return strings.Contains(p.stdout.String(), "curl "+p.url+"/orders/1\n") })
	assert.Contains(t, p.stdout.String(), "curl -i "+p.url+"/orders -H 'Content-Type: application/json' -d '{")
	assert.Equal(t, p.dir, p.stderr.find("taking orders")[0]["dir"])
}

func TestRestartedProgramGoesOnWithItsOrders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "-dir", dir)
	p.order(goodOrder)
	p.stop()
	p = start(t, "-dir", dir)
	assertAllSucceeded(t, p.processed(1))
	assert.EqualValues(t, 2, p.order(goodOrder))
	assertAllSucceeded(t, p.processed(2))
	assert.Equal(t, 1_000_000-4, p.items()[0].Stock)
}
