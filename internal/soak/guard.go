package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// A guard is a process that kills those which this one has started, as soon as this one has
// ended, also by SIGKILL. (Linux could do that without one, by prctl(PR_SET_PDEATHSIG), but
// nothing else can; and orders, being an example, is not to watch over its parent.)
type guard struct {
	cmd   *exec.Cmd
	input io.WriteCloser

	mu    sync.Mutex
	ended bool
}

func startGuard(file string) (*guard, error) {
	g := &guard{cmd: exec.Command(file)}
	g.cmd.Stderr = os.Stderr
	var err error
	if g.input, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return g, g.cmd.Start()
}

// started and gone tell it of a process.
func (g *guard) started(pid int) { g.tell("+%d\n", pid) }
func (g *guard) gone(pid int)    { g.tell("-%d\n", pid) }

func (g *guard) tell(format string, pid int) { _, _ = fmt.Fprintf(g.input, format, pid) }

// start starts cmd, except after end.
func (g *guard) start(cmd *exec.Cmd) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return errInterrupted
	}
	err := cmd.Start()
	if err == nil {
		g.started(cmd.Process.Pid)
	}
	return err
}

func (g *guard) hasEnded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended
}

// end kills all that still runs, and returns when that is done.
func (g *guard) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return
	}
	g.ended = true
	_ = g.input.Close()
	_ = g.cmd.Wait()
}
