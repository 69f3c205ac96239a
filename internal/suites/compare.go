package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// limit bounds one run of one suite.
const limit = 4 * time.Minute

// A comparison is of one suite's results without and with the middleware.
type comparison struct {
	passed, failed int // without
	lost           int // passed without, not with; or tasks got lost
	requests       int // served with
	tasks          int // run
}

func (c comparison) String() string {
	if c.passed+c.failed == 0 {
		return "has no tests"
	}
	return fmt.Sprintf("%d passed, %d failed without the middleware; with it %d of those that passed did not (%d requests, %d tasks)",
		c.passed, c.failed, c.lost, c.requests, c.tasks)
}

func (c *comparison) add(d comparison) {
	c.passed += d.passed
	c.failed += d.failed
	c.lost += d.lost
	c.requests += d.requests
	c.tasks += d.tasks
}

// compare runs the suite in two copies under dir.
func (s suite) compare(library, dir string) (c comparison, err error) {
	without, err := s.copyTo(dir+"-without", library)
	if err != nil {
		return c, err
	}
	with, err := s.copyTo(dir+"-with", library)
	if err != nil {
		return c, err
	}
	if err := s.install(with); err != nil {
		return c, err
	}
	before, err := test(without)
	if err != nil {
		return c, err
	}
	after, err := test(with)
	if err != nil {
		return c, err
	}
	c.requests, c.tasks = after.requests, after.tasks
	return c, c.count(before, after, with)
}

// count gives a test that failed a second try: some are about time.
func (c *comparison) count(before, after results, with string) error {
	again := results{}
	for name, passed := range after.passed {
		if _, theirs := before.passed[name]; !theirs && !passed { // our own, of install
			c.lost++
			fmt.Printf("%s:\n%s\n", name, after.output[name])
		}
	}
	for name, passed := range before.passed {
		if !passed {
			c.failed++
			continue
		}
		c.passed++
		if after.passed[name] {
			continue
		}
		if again.passed == nil {
			var err error
			if again, err = test(with); err != nil {
				return err
			}
		}
		if !again.passed[name] {
			c.lost++
			fmt.Printf("%s passes without the middleware only:\n%s\n", name, again.output[name])
		}
	}
	return nil
}

type results struct {
	passed          map[string]bool // by package and test
	output          map[string]string
	requests, tasks int
}

// told is what the test that install adds reports.
var told = regexp.MustCompile(`suites: (\d+) requests, (\d+) tasks`)

// test runs all tests of the module in dir. That some fail is no error.
func test(dir string) (results, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-mod=mod", "-count=1", "-v", "-json", "-timeout", limit.String(), "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	r := results{passed: map[string]bool{}, output: map[string]string{}}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			r.note(e.Action, e.Package+" "+e.Test, e.Output, e.Test == "")
		}
	}
	if len(r.passed) == 0 && err != nil { // go test -json tells of what does not compile among the output
		return r, fmt.Errorf("%w: %s%s", err, problems.Bytes(), out)
	}
	return r, nil
}

func (r *results) note(action, name, output string, ofPackage bool) {
	switch action {
	case "output":
		r.output[name] += output
		if m := told.FindStringSubmatch(output); m != nil {
			requests, _ := strconv.Atoi(m[1])
			tasks, _ := strconv.Atoi(m[2])
			r.requests += requests
			r.tasks += tasks
		}
	case "pass", "fail":
		if !ofPackage {
			r.passed[name] = action == "pass"
		}
	}
}
