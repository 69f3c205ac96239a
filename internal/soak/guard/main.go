// Command guard ends the processes that its driver has started, once the driver has ended,
// in whatever way: its standard input, a pipe that only the driver holds, ends then. Each
// line of it is a process's number, after a + once it has started and a - once it has ended.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // which a terminal sends to the driver and to all that it has started
	running := make(map[int]bool)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			continue
		}
		pid, err := strconv.Atoi(line[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, "guard:", err)
			continue
		}
		if line[0] == '+' {
			running[pid] = true
		} else {
			delete(running, pid)
		}
	}
	for pid := range running {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}
