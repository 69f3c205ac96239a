package plan

import (
	"fmt"
	"os"
	"strings"
)

// A Ledger is a file of lines, which are only ever appended. Each is one write, so that
// those of a process that ends at any moment are whole.
type Ledger struct{ file *os.File }

// OpenLedger opens a ledger, or begins it.
func OpenLedger(name string) (*Ledger, error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return &Ledger{file}, err
}

// Write appends a line of words. It panics where that fails: a soak without its ledger
// proves nothing.
func (l *Ledger) Write(words ...any) {
	if _, err := l.file.WriteString(fmt.Sprintln(words...)); err != nil {
		panic(err)
	}
}

// ReadLedger calls line with the words of each line.
func ReadLedger(name string, line func(words []string)) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for text := range strings.Lines(string(data)) {
		line(strings.Fields(text))
	}
	return nil
}

// Words that begin a line of the server's ledger. All but Began and Ended are followed by
// the request's ID.
const (
	Began     = "process"    // a process has begun
	Accepted  = "accepted"   // position, name: the runner's event
	Started   = "start"      // position, attempt: written by the task itself
	Returned  = "end"        // position, attempt: likewise, however it ends
	Over      = "over"       // position, kind: the event that ends a task's life
	Named     = "named"      // position: in the ShutdownError
	NotNested = "not-nested" // position: a task could not add another, as the shutdown's deadline was over
	Early     = "early"      // protocol: a task before the last byte of its response was written
	InTime    = "in-time"    // protocol: the first task after it, in cleartext, where that can be seen
	Unsent    = "unsent"     // a list that started although its response was not sent
	Beside    = "beside"     // a task writes while its handler is still in a write
	Wrong     = "wrong"      // what: a task saw another request's parameters, found its upload gone, or a write of its was let through
	Ended     = "ended"      // the process has shut down
)

// Close closes the file.
func (l *Ledger) Close() error { return l.file.Close() }
