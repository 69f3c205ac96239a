package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// However the driver ends, so do the programs that it has started.
func TestDriverLeavesNoProcessBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, and takes seconds")
	}
	t.Parallel()
	dir := t.TempDir()
	driver := filepath.Join(dir, "driver")
	if out, err := exec.Command("go", "build", "-o", driver, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, signal := range []os.Signal{os.Kill, os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(driver, "-duration", "1m", "-life", "30s", "-clients", "10", "-idle", "10", "-dir", t.TempDir())
			target, orders := runningAt(t, cmd)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); signal != os.Kill && code != 2 {
				t.Errorf("the driver ends with %d", code)
			}
			awaitNobody(t, target)
			awaitNobody(t, orders)
		})
	}
}

var lifeLine = regexp.MustCompile(`life 0: target at http://(\S+), orders at http://(\S+)`)

// runningAt starts the driver and returns where its processes listen.
func runningAt(t *testing.T, cmd *exec.Cmd) (target, orders string) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	in := bufio.NewReader(stderr)
	for {
		line, err := in.ReadString('\n')
		if found := lifeLine.FindStringSubmatch(line); found != nil {
			go func() { _, _ = io.Copy(io.Discard, in) }()
			return found[1], found[2]
		}
		if err != nil {
			t.Fatalf("the driver has not started its processes: %v: %s", err, line)
		}
	}
}

// awaitNobody waits until nobody listens at addr.
func awaitNobody(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Errorf("a process still listens at %s", addr)
}
