// Package leaktest fails a package's tests if they leave goroutines behind. Each package with
// tests has
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
//
// in its main_test.go. (Nested modules use go.uber.org/goleak.)
package leaktest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines get to end after the last test.
const patience = 10 * time.Second

// Main runs the tests and exits: with 1 if they pass but goroutines are left that were not
// there before, or that can never go on.
func Main(m *testing.M) {
	before := Snapshot()
	code := m.Run()
	if code == 0 && !fuzzing() {
		code = report(before)
	}
	os.Exit(code)
}

// fuzzing is when workers come and go as the fuzzer likes.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

func report(before Goroutines) (code int) {
	if left := before.Wait(patience); len(left) > 0 {
		fmt.Printf("leaktest: the tests have left %d goroutines:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	stuck, known := Stuck()
	switch {
	case !known && testing.Verbose():
		fmt.Println("leaktest: no goroutineleak profile: GOEXPERIMENT=goroutineleakprofile builds it in")
	case stuck != "":
		fmt.Printf("leaktest: these goroutines can never go on:\n%s\n", stuck)
		code = 1
	}
	return code
}

// Goroutines are those that exist at a moment.
type Goroutines map[string]bool // by number

// Snapshot is taken of now.
func Snapshot() Goroutines {
	all := Goroutines{}
	for _, stack := range stacks() {
		all[number(stack)] = true
	}
	return all
}

// Wait returns the stacks of the goroutines that were not there at the snapshot, once there
// are none or that much time has passed.
func (before Goroutines) Wait(most time.Duration) (left []string) {
	for end := time.Now().Add(most); ; <-time.After(time.Millisecond) {
		left = before.since()
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

func (before Goroutines) since() (left []string) {
	for _, stack := range stacks() {
		if !before[number(stack)] && !lasting(stack) {
			left = append(left, stack)
		}
	}
	return left
}

// lasting are goroutines that the standard library starts once and for all.
func lasting(stack string) bool {
	return strings.Contains(stack, "os/signal.loop") || strings.Contains(stack, "runtime.ensureSigM")
}

// stacks are those of all goroutines but the caller's.
func stacks() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")[1:]
		}
		buf = make([]byte, 2*len(buf))
	}
}

// number is what tells a goroutine from others: "goroutine 7 [running]:" begins its stack.
func number(stack string) string {
	head, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
	return head
}

// Stuck returns what the runtime says of goroutines that are blocked on what nothing else can
// reach. It is not known where the profile has not been built in.
func Stuck() (stacks string, known bool) {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return "", false
	}
	var b bytes.Buffer
	if err := p.WriteTo(&b, 1); err != nil {
		return err.Error(), true
	}
	head, _, _ := strings.Cut(b.String(), "\n")
	if strings.HasSuffix(head, "total 0") {
		return "", true
	}
	return b.String(), true
}
