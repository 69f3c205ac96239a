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

func (p *program) reportOnce(state string) (r Report) {
	p.t.Helper()
	eventually(p.t, "the report is "+state, func() bool {
		p.get("/reports/1", &r)
		return r.State == state
	})
	return r
}

func TestReportIsGeneratedWithAStatusToAskFor(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := start(t, "-smtp", mail.addr, "-pace", "200ms")
	p.processed(p.order(orderJSON(`[{"id": "apple", "quantity": 2}, {"id": "apple", "quantity": 3}]`)))
	p.processed(p.order(orderJSON(`[{"id": "apple", "quantity": 1}, {"id": "quince", "quantity": 1}]`)))

	got := p.sendJSON("POST", "/reports", map[string]any{"type": "sales", "filters": map[string]int{"days": 1}})
	got.assertJSON(t, http.StatusAccepted, `{"report_id": 1, "message": "Report generation started", "status": "processing"}`)
	assert.Equal(t, "/reports/1", got.header.Get("Location"))
	assert.Equal(t, "processing", p.reportOnce("processing").State)
	assertProblem(t, p.request("GET", "/reports/1/file", nil, nil), 404, "processing")

	r := p.reportOnce("completed")
	file := p.request("GET", r.File, nil, nil)
	assert.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="sales-1.csv"`, file.header.Get("Content-Disposition"))
	assert.Equal(t, "item_id,name,orders,quantity\napple,Apple,2,6\nquince,Quince,1,1\n", string(file.body))
	p.stop()
	all := mail.mail()
	assert.Equal(t, "Report 1 is ready", parseLetter(t, all[len(all)-1].data).subject)
}

func TestReportOfNoSalesIsEmpty(t *testing.T) {
	store := openTestStore(t)
	createTestOrder(t, store)
	o := createTestOrder(t, store)
	rows, err := store.Sales(t.Context(), o.CreatedAt)
	require.NoError(t, err)
	assert.Equal(t, [][]string{{"apple", "Apple", "1", "2"}}, rows, "since then")
	rows, err = store.Sales(t.Context(), o.CreatedAt.Add(1))
	require.NoError(t, err)
	assert.Empty(t, rows)
}

func TestReportThatFailsSaysSoAndIsNotAnnounced(t *testing.T) {
	t.Parallel()
	mail := startMailServer(t)
	p := start(t, "-smtp", mail.addr)
	require.NoError(t, os.Remove(filepath.Join(p.dir, "reports")))
	assert.Equal(t, 202, p.sendJSON("POST", "/reports", map[string]any{"type": "sales"}).status)
	r := p.reportOnce("failed")
	assert.Contains(t, r.Error, "no such file")
	assert.Empty(t, r.File)
	p.stop()
	assert.Empty(t, mail.mail())
}

func TestBadReportIsRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	assertProblem(t, p.sendJSON("POST", "/reports", map[string]any{}), 422, "type")
	assertProblem(t, p.sendJSON("POST", "/reports", map[string]any{"type": "taxes"}), 422, "type")
	assertProblem(t, p.sendJSON("POST", "/reports", map[string]any{"type": "sales", "filters": map[string]int{"days": -1}}), 422, "days")
	assertProblem(t, p.sendJSON("POST", "/reports", map[string]any{"type": "sales", "filters": map[string]string{"name": "x"}}), 400, "name")
	assert.Equal(t, "[]\n", string(p.request("GET", "/reports", nil, nil).body))
}

func TestCellsThatASpreadsheetWouldRunStayTexts(t *testing.T) {
	var out strings.Builder
	require.NoError(t, writeCSV(&out, [][]string{{"=1+1", "+1", "-1", "@a", "\tx", "a=1", "", `"q"`, "a,b\nc"}}))
	assert.Equal(t, "'=1+1,'+1,'-1,'@a,'\tx,a=1,,\"\"\"q\"\"\",\"a,b\nc\"\n", out.String())
}
