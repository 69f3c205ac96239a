// Package script has handlers do anything to their responses that bytes say, for tests that
// compare what clients get with and without a middleware.
package script

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// A Script is a sequence of choices; when all have been made the rest are the first of what
// there is to choose from.
type Script []byte

// Steps is how many kinds of steps there are for a handler to do, some more than once.
var Steps = len(withPush)

// Paths that a script's client asks for: the handler that plays it, and another.
const (
	Path  = "/script"
	Probe = "/probe"
)

// Header is that of the request by which a Handler is told its script, in hexadecimal.
const Header = "Script"

// Text is what handlers write, as much as they like of it: more than net/http's buffers hold.
var Text = bytes.Repeat([]byte("0123456789abcdef"), 512)

// Random is one that is the same each time for a seed.
func Random(seed uint64) Script {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := make(Script, 5+rng.IntN(60))
	for i := range s {
		s[i] = byte(rng.Uint32())
	}
	return s
}

// Of makes a choice of one of n.
func (s *Script) Of(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % n
}

var methods = []string{"GET", "POST", "HEAD", "PUT", "OPTIONS"}

// Request chooses that of the client.
func (s *Script) Request() (method, body string) {
	if method = methods[s.Of(len(methods))]; method != "GET" {
		body = string(Text[:s.Of(200)])
	}
	return method, body
}

// text is up to 8 KB.
func (s *Script) text() []byte { return Text[:min(s.Of(256)*s.Of(40), len(Text))] }

// A playing is a script that a handler plays.
type playing struct {
	Script
	w http.ResponseWriter
	r *http.Request
}

// Handler plays the script of its request; it panics where that says so.
func Handler(w http.ResponseWriter, r *http.Request) {
	data, err := hex.DecodeString(r.Header.Get(Header))
	if err != nil {
		panic(err)
	}
	p, all := &playing{data, w, r}, steps
	if r.ProtoMajor == 2 {
		all = withPush
	}
	for len(p.Script) > 0 {
		all[p.Of(len(all))](p)
	}
}
