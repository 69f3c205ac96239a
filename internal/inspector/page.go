package inspector

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"slices"
)

// The page is one response: its style and script are in it, and named by their hash in the
// policy, so that nothing else is run, not even if it were to get into the page.
var (
	//go:embed page.html
	markup string
	//go:embed page.css
	style string
	//go:embed page.js
	script string

	policy = "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

	templates = template.Must(template.New("page").Funcs(template.FuncMap{
		"count":   count[int],
		"count64": count[int64],
		"rate":    rate,
		"seconds": seconds,
		"visible": visible,
		"style":   func() template.CSS { return template.CSS(style) },
		"script":  func() template.JS { return template.JS(script) },
	}).Parse(markup))
)

// live are the parts of the page that change, by the name of their template and the id of
// their element.
var live = []string{"state", "notices", "totals", "activity", "limits", "running", "waiting", "failures"}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func page(r *Report) string { return execute("page", view{r}) }

// parts are the inner HTML of the elements in live.
func parts(r *Report) map[string]string {
	all := make(map[string]string, len(live))
	for _, name := range live {
		all[name] = execute(name, view{r})
	}
	return all
}

func execute(name string, v view) string {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		return template.HTMLEscapeString(err.Error())
	}
	return b.String()
}

// A view is a report with what only the page shows.
type view struct{ *Report }

// A waiting is a task with what it waits for.
type waiting struct {
	Task
	For string
}

// Waits has the oldest waiting tasks of all kinds.
func (v view) Waits() []waiting {
	var all []waiting
	for _, kind := range v.WaitKinds() {
		for _, t := range kind.Tasks.Tasks {
			all = append(all, waiting{t, kind.For})
		}
	}
	slices.SortStableFunc(all, func(a, b waiting) int { return a.Added.Compare(b.Added) })
	return all[:min(len(all), most)]
}

type waitKind struct {
	For, What string
	Tasks     Tasks
}

func (v view) WaitKinds() []waitKind {
	w := v.Waiting
	return []waitKind{
		{"the handler", "for the handler to return", w.Handler},
		{"the response", "for the response to be sent", w.Response},
		{"a place", "for a place to run", w.Place},
		{"its turn", "for another task of the request", w.Turn},
	}
}

func (v view) WaitCount() (n int) {
	for _, kind := range v.WaitKinds() {
		n += kind.Tasks.Count
	}
	return n
}

// More is how many there are that are not shown.
func (v view) More(all, shown int) int { return all - shown }

// A gauge is a limit with what it is called.
type gauge struct {
	Limit
	Name, Of string
}

func (v view) Gauges() []gauge {
	return []gauge{
		{v.Limits.MaxPending, "Accepted tasks", "MaxPending"},
		{v.Limits.MaxRunning, "Running lists", "MaxRunning"},
	}
}

// Percent of the limit that is used.
func (g gauge) Percent() int64 {
	if g.Limit.Limit == nil {
		return 0
	}
	return min(100*g.Used/cmp.Or(*g.Limit.Limit, 1), 100)
}

// Near says that it is time to look after it.
func (g gauge) Near() bool { return g.Percent() >= nearly }

const nearly = 80
