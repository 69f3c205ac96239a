package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/go-chi/render"
)

// A sales report is generated in the background: the answer says where to ask how far it is,
// and when it is completed there is a file to download.

// Report as it is stored.
type Report struct {
	ID          int64     `json:"report_id"`
	Kind        string    `json:"type"`
	Since       time.Time `json:"since"` // sales from then on
	RequestedAt time.Time `json:"requested_at"`
	State       string    `json:"status"` // processing, completed or failed
	Error       string    `json:"error,omitempty"`
	File        string    `json:"file,omitempty"` // where it can be downloaded
}

type reportInput struct {
	Kind    string `json:"type"`
	Filters struct {
		Days int `json:"days"` // sales of so many days; 0: all
	} `json:"filters"`
}

func (in *reportInput) check() error {
	if in.Kind != "sales" {
		return unprocessable("type must be sales")
	}
	if in.Filters.Days < 0 || in.Filters.Days > 36_500 {
		return unprocessable("filters.days must be from 0 to 36500")
	}
	return nil
}

func (a *api) requestReport(w http.ResponseWriter, r *http.Request) {
	var in reportInput
	if !accept(w, r, &in) {
		return
	}
	report := Report{Kind: in.Kind, RequestedAt: time.Now().UTC(), State: "processing"}
	if in.Filters.Days > 0 {
		report.Since = report.RequestedAt.AddDate(0, 0, -in.Filters.Days)
	}
	err := a.store.change(r.Context(), func(ctx context.Context, tx Tx) ([]followUp, error) {
		err := insertReport(ctx, tx, &report)
		return a.generate(report), err
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/reports/%d", report.ID))
	render.Status(r, http.StatusAccepted)
	render.JSON(w, r, map[string]any{"report_id": report.ID, "message": "Report generation started", "status": report.State})
}

func (a *api) generate(report Report) []followUp {
	return []followUp{
		{"generate report", bgtasks.Bind(generateReport, sales{a.store, report.Since, a.reportFile(report.ID)}), []bgtasks.Option{
			bgtasks.Timeout(5 * time.Minute),
			recordEnd(func(ctx context.Context, failure error) error {
				return a.store.ReportEnded(ctx, report.ID, failure)
			}),
		}},
		{"notify report ready", bgtasks.Bind(sendNotice, notice{
			Mailer:  a.mailer,
			Name:    noticeName(),
			To:      a.keeper,
			Subject: fmt.Sprintf("Report %d is ready", report.ID),
			Text:    fmt.Sprintf("Download it at /reports/%d/file\n", report.ID),
		}), []bgtasks.Option{
			bgtasks.Needs("generate report"),
			bgtasks.Timeout(a.workflow.mailTimeout),
		}},
	}
}

func (a *api) reportFile(id int64) string {
	return filepath.Join(a.dir, "reports", fmt.Sprintf("%d.csv", id))
}

type sales struct {
	Store *Store
	Since time.Time
	File  string
}

func generateReport(ctx context.Context, in sales) error {
	rows, err := in.Store.Sales(ctx, in.Since)
	if err != nil {
		return err
	}
	rows = append([][]string{{"item_id", "name", "orders", "quantity"}}, rows...)
	return writeWhole(in.File, func(w io.Writer) error { return writeCSV(w, rows) })
}

func (a *api) listReports(w http.ResponseWriter, r *http.Request) {
	reports, err := a.store.Reports(r.Context(), latest)
	answer(w, r, reports, err)
}

func (a *api) getReport(w http.ResponseWriter, r *http.Request) {
	report, err := a.report(r)
	answer(w, r, report, err)
}

func (a *api) getReportFile(w http.ResponseWriter, r *http.Request) {
	report, err := a.report(r)
	if err == nil && report.State != "completed" {
		err = problem(http.StatusNotFound, "there is no file: "+report.State)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="sales-%d.csv"`, report.ID))
	http.ServeFile(w, r, a.reportFile(report.ID))
}

func (a *api) report(r *http.Request) (Report, error) {
	id, err := number(r, errNoReport)
	if err != nil {
		return Report{}, err
	}
	return a.store.Report(r.Context(), id)
}
