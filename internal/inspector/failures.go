package inspector

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// How much is kept of failures: 32 of them with 2 and 8 KiB of text are 320 KiB.
const (
	mostFailures = 32
	mostError    = 2 << 10
	mostStack    = 8 << 10
	mostField    = 200 // of a name, a route, a request ID: the last is the client's to choose
)

// A Failure is a task that ended with an error or a panic, or that a shutdown has named.
type Failure struct {
	Number  int       `json:"number"` // from 1, since the start
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // failed, panicked or unfinished
	Task    Task      `json:"task"`
	Seconds float64   `json:"seconds"` // since the task started
	Error   string    `json:"error"`
	Stack   string    `json:"stack"` // of a panic
}

// failures keeps the last ones.
type failures struct {
	mu    sync.Mutex
	count int
	last  [mostFailures]Failure
}

func (f *failures) add(e bgtasks.Event) {
	failure := Failure{
		At:      time.Now(),
		Kind:    e.Kind.String(),
		Task:    taskOf(e.Info, time.Now()),
		Seconds: e.Elapsed.Seconds(),
		Error:   clip(fmt.Sprint(e.Err), mostError), // Sprint bears with an Error method that panics
	}
	if e.Kind == bgtasks.Finished {
		failure.Kind = "failed"
	}
	if p := (*bgtasks.PanicError)(nil); errors.As(e.Err, &p) {
		failure.Kind, failure.Stack = "panicked", clip(withoutArguments(p.Stack), mostStack)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	failure.Number = f.count
	f.last[f.count%mostFailures] = failure
}

// read returns them, the latest first.
func (f *failures) read() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []Failure{}
	for number := f.count; number > max(f.count-mostFailures, 0); number-- {
		found = append(found, f.last[number%mostFailures])
	}
	return slices.Clip(found)
}

// withoutArguments takes the arguments of functions out of a stack: in hexadecimal they are
// values all the same.
func withoutArguments(stack []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(stack)) {
		if args := strings.LastIndexByte(line, '('); args >= 0 && strings.HasSuffix(line, ")\n") && line[0] != '\t' {
			line = line[:args] + "(...)\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// clip returns at most that many bytes of text, in memory of their own.
func clip(text string, most int) string {
	if len(text) <= most {
		return strings.ToValidUTF8(strings.Clone(text), "\uFFFD")
	}
	return strings.ToValidUTF8(strings.Clone(text[:most]), "") + "…"
}
