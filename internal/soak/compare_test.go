package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

// compared compares a server's ledger with the acknowledgement of requests.
func compared(t *testing.T, ledger string, acked ...plan.Request) *report {
	t.Helper()
	s := &run{config: defaults(), report: newReport(defaults()), ledger: filepath.Join(t.TempDir(), "ledger")}
	s.acked.all = acked
	if err := os.WriteFile(s.ledger, []byte(ledger), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.compareTarget(); err != nil {
		t.Fatal(err)
	}
	return s.report
}

const good = "accepted r 1\naccepted r 2\nstart r 1 1\nend r 1 1\nover r 1 finished\nstart r 2 1\nend r 2 1\nover r 2 finished\n"

// Each kind of broken promise is seen: a comparison that sees none proves nothing.
func TestComparisonSeesWhatIsWrong(t *testing.T) {
	two := plan.Request{ID: "r", Tasks: "oo"}
	for name, c := range map[string]struct {
		ledger string
		acked  plan.Request
		want   figures
	}{
		"nothing":                  {good, two, figures{}},
		"no trace of a request":    {good, plan.Request{ID: "x", Tasks: "o"}, figures{lost: 1}},
		"a task not accepted":      {good, plan.Request{ID: "r", Tasks: "ooo"}, figures{lost: 1}},
		"a nested task missing":    {good, plan.Request{ID: "r", Tasks: "oa"}, figures{lost: 1}},
		"a task never run":         {strings.ReplaceAll(good, "start r 2 1\nend r 2 1\nover r 2 finished\n", ""), two, figures{lost: 2}},
		"a finish without a run":   {strings.ReplaceAll(good, "start r 2 1\nend r 2 1\n", ""), two, figures{lost: 1}},
		"unfinished but not named": {strings.ReplaceAll(good, "r 2 finished", "r 2 unfinished"), two, figures{lost: 2}},
		"named":                    {strings.ReplaceAll(good, "r 2 finished", "r 2 unfinished") + "named r 2\n", two, figures{named: 1}},
		"run twice":                {strings.Replace(good, "over r 2", "start r 2 1\nend r 2 1\nover r 2", 1), two, figures{doubled: 1}},
		"over twice":               {good + "over r 2 finished\n", two, figures{doubled: 1}},
		"out of order":             {"accepted r 1\naccepted r 2\nstart r 2 1\nend r 2 1\nover r 2 finished\nstart r 1 1\nend r 1 1\nover r 1 finished\n", two, figures{disordered: 1}},
		"side by side":             {"accepted r 1\naccepted r 2\nstart r 1 1\nstart r 2 1\nend r 1 1\nend r 2 1\nover r 1 finished\nover r 2 finished\n", two, figures{disordered: 1}},
		"of another request":       {good + "wrong r parameters\n", two, figures{wrong: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := compared(t, c.ledger, c.acked)
			got := r.ledger
			if got.lost != c.want.lost || got.doubled != c.want.doubled || got.disordered != c.want.disordered ||
				got.wrong != c.want.wrong || got.named != c.want.named {
				t.Errorf("%+v: %q", got, r.broken)
			}
			if broken := c.want.lost+c.want.doubled+c.want.disordered+c.want.wrong > 0; broken != (len(r.broken) > 0) {
				t.Errorf("%q", r.broken)
			}
		})
	}
}

func TestEarlyTaskOfHTTP1BreaksThePromise(t *testing.T) {
	for proto, want := range map[string]int{"HTTP/1.1": 1, "HTTP/2.0": 0} {
		r := compared(t, good+"early r "+proto+"\n", plan.Request{ID: "r", Tasks: "oo"})
		if len(r.broken) != want || r.ledger.early[proto] != 1 {
			t.Errorf("%s: %q", proto, r.broken)
		}
	}
}
