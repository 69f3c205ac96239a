package inspector

import (
	"fmt"
	"strings"
)

// The chart's size, in units of its own.
const (
	columnWidth = 10
	chartHeight = 100
)

// A Chart is the history as a drawing: a column of ended tasks for each step, those that
// failed on top, and a line for those accepted.
type Chart struct {
	Width, Height int
	Columns       []Column
	Line          string
	Peak          float64 // a second, what the height stands for
	Summary       string
}

// A Column has its parts' tops and heights.
type Column struct {
	X, Width                                           int
	SucceededY, SucceededHeight, FailedY, FailedHeight float64
}

func (v view) Chart() Chart {
	h := v.History
	c := Chart{Width: steps * columnWidth, Height: chartHeight}
	var most, done, failures int64
	for i := range h.Accepted {
		most = max(most, h.Accepted[i], h.Succeeded[i]+h.Failed[i])
		done += h.Succeeded[i] + h.Failed[i]
		failures += h.Failed[i]
	}
	c.Peak = float64(most) / float64(h.StepSeconds)
	c.Summary = fmt.Sprintf("In the last %d minutes %s tasks ended, %s of them failed; at most %s a second.",
		historyLength/60, count(done), count(failures), rate(c.Peak))
	scale := float64(chartHeight) / float64(max(most, 1))
	var line strings.Builder
	for i := range h.Accepted {
		good, bad := float64(h.Succeeded[i])*scale, float64(h.Failed[i])*scale
		x := i * columnWidth
		c.Columns = append(c.Columns, Column{x + 1, columnWidth - 2, chartHeight - good, good, chartHeight - good - bad, bad})
		if i == steps-1 {
			break // the step that goes on: the line would seem to fall
		}
		fmt.Fprintf(&line, "%d,%.1f ", x+columnWidth/2, chartHeight-float64(h.Accepted[i])*scale)
	}
	c.Line = strings.TrimSpace(line.String())
	return c
}
