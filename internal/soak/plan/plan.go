// Package plan is what the soak's clients and the server that they attack agree on: what a
// request asks for, and what its answer must look like.
package plan

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// Letters of Request.Tasks: what a task does.
const (
	OK      = 'o' // returns nil
	Fail    = 'e' // returns an error
	Panic   = 'p'
	Goexit  = 'g' // calls runtime.Goexit
	Timeout = 't' // hangs until its timeout of 100 ms
	Hang    = 'H' // hangs until the shutdown's deadline
	Retry   = 'r' // fails at its first attempt, then succeeds
	Nest    = 'a' // adds a task OK to its own list
	Write   = 'w' // writes to the response, which must reach nobody
	Sleep   = 's' // takes 20 ms
	Upload  = 'u' // reads the uploaded file and compares it with its checksum
)

// A Request is what a client asks for.
type Request struct {
	ID      string // unique in a soak
	Tasks   string // a letter for each
	Size    int    // of the answer's body, about
	Status  int    // of the answer; 0: 200
	End     string // "", "panic", "abort": how the handler ends after adding its tasks
	Chunked bool   // whether the answer has no Content-Length, and is flushed in between

	// Unwatched says that the last byte of the answer is not to be looked out for on the
	// connection: the client may take back its HTTP/2 stream, or have the answer split over
	// many frames.
	Unwatched bool
}

// Path returns the request's path and query below a route.
func (r Request) Path(route string) string {
	q := url.Values{"tasks": {r.Tasks}, "size": {strconv.Itoa(r.Size)}}
	if r.Status != 0 {
		q.Set("status", strconv.Itoa(r.Status))
	}
	if r.End != "" {
		q.Set("end", r.End)
	}
	if r.Chunked {
		q.Set("chunked", "1")
	}
	if r.Unwatched {
		q.Set("unwatched", "1")
	}
	return route + "/" + r.ID + "?" + q.Encode()
}

// Parse is the reverse of Path, for the ID found by the router.
func Parse(id string, q url.Values) Request {
	size, _ := strconv.Atoi(q.Get("size"))
	status, _ := strconv.Atoi(q.Get("status"))
	return Request{id, q.Get("tasks"), size, max(status, 200), q.Get("end"), q.Get("chunked") != "", q.Get("unwatched") != ""}
}

// Expected is how many tasks the list has in the end.
func (r Request) Expected() int { return len(r.Tasks) + strings.Count(r.Tasks, string(rune(Nest))) }

// End is the last line of the answer to a request.
func End(id string) string { return "end:" + id + "\n" }

// Body returns the whole of the answer's body: lines that each name their request, so that a
// foreign byte is seen and shows where it came from.
func (r Request) Body() []byte {
	var b strings.Builder
	_ = r.WriteLines(&b)
	b.WriteString(End(r.ID))
	return []byte(b.String())
}

// Length is that of Body.
func (r Request) Length() int {
	return r.lines()*len(r.line()) + len(End(r.ID))
}

func (r Request) line() string { return fmt.Sprintf("body of %s\n", r.ID) }

func (r Request) lines() int { return r.Size / len(r.line()) }

// WriteLines writes all of the body but its end, in pieces of at most 32 KiB or so.
func (r Request) WriteLines(w io.Writer) error {
	line, left := r.line(), r.lines()
	for left > 0 {
		n := min(left, 1+32<<10/len(line))
		if _, err := io.WriteString(w, strings.Repeat(line, n)); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
