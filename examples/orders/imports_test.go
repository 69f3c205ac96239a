package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (p *program) delivers(csv string) reply {
	p.t.Helper()
	return p.request(http.MethodPost, "/imports", http.Header{"Content-Type": {"text/csv; charset=utf-8"}}, strings.NewReader(csv))
}

func (p *program) temps() []os.DirEntry {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, "temp"))
	require.NoError(p.t, err)
	return entries
}

func TestHandlerThatFailsIsCleanedUpAfter(t *testing.T) {
	t.Parallel()
	p := start(t)
	for csv, detail := range map[string]string{
		"apple,5\npear,many\n": `line 2: not a quantity: "many"`,
		"apple,0\n":            "line 1: not a quantity",
		"apple\n":              "wrong number of fields",
		"apple,\"5\n":          "quote",
		strings.Repeat("apple,5\n", maxDelivery+1): "at most 1000 lines",
	} {
		assertProblem(t, p.delivers(csv), 422, detail)
	}
	eventually(t, "the working files are gone", func() bool { return len(p.temps()) == 0 })
	assert.Equal(t, 1_000_000, p.items()[0].Stock)
	assert.EqualValues(t, 5, p.stop()["Succeeded"], "a cleanup each")
}

func TestDeliveryIsPutIntoStock(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.delivers("apple,5\nquince,2\n").assertJSON(t, 202, `{"lines": 2, "status": "processing"}`)
	eventually(t, "the stock", func() bool { return p.items()[0].Stock == 1_000_005 && p.items()[2].Stock == 5 })
	assert.EqualValues(t, 2, p.stop()["Succeeded"])
	assert.Empty(t, p.temps())
}

func TestTaskThatFailsMailsTheKeeper(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := start(t, "-smtp", mail.addr)
	assert.Equal(t, 202, p.delivers("apple,5\nmelon,2\n").status)
	p.eventuallyLogs("bgtasks: task failed", "task", "update stock", "error", `unknown item "melon"`)
	assert.EqualValues(t, 1, p.stop()["Failed"])
	all := mail.mail()
	require.Len(t, all, 1)
	got := parseLetter(t, all[0].data)
	assert.Equal(t, "Failed: update stock", got.subject)
	assert.Equal(t, "unknown item \"melon\"\r\n", got.text)
	assert.Equal(t, []string{"<keeper@shop.example>"}, got.header["To"])
	assert.Empty(t, p.temps())
	assert.Equal(t, 1_000_000, stock(t, storeOf(t, p), "apple"), "rolled back")
}

func TestBadImportIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t, "-max-pending", "1")
	assertProblem(t, p.sendJSON("POST", "/imports", map[string]any{}), 415, "text/csv")
	assertProblem(t, p.delivers("apple,5\n"), 503, "try again")
	p.stop()
	assert.Empty(t, p.temps(), "the cleanup found room, the other task did not")
}
