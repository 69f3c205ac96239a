package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// build builds the app.
func build(ctx context.Context, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/chi-bgtasks/chi-bgtasks/examples/orders")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// An app is the program, running.
type app struct {
	url    string
	cmd    *exec.Cmd
	exited chan error // gets the result of Wait
	counts map[string]int
	log    *os.File // all that it has logged
}

// startApp starts it in dir, on a free port, and waits until it takes orders.
func startApp(ctx context.Context, binary, dir string, settings []string) (*app, error) {
	args := append([]string{"-demo", "-addr", "127.0.0.1:0", "-dir", dir, "-log", "json", "-grace", "30s"}, settings...)
	a := &app{cmd: exec.CommandContext(ctx, binary, args...), exited: make(chan error, 1)}
	var err error
	if a.log, err = os.OpenFile(filepath.Join(dir, "app.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	a.cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	lines, err := a.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	addr := make(chan string, 1)
	go a.read(lines, addr)
	select {
	case at := <-addr:
		a.url = "http://" + at
		return a, nil
	case err := <-a.exited:
		return nil, fmt.Errorf("the app has ended by itself: %w", errors.Join(err, a.lastWords()))
	}
}

// read looks for what the demo wants to know in the app's log.
func (a *app) read(lines io.Reader, addr chan<- string) {
	for in := bufio.NewScanner(lines); in.Scan(); {
		_, _ = fmt.Fprintf(a.log, "%s\n", in.Text())
		var line struct {
			Msg   string
			Addr  string
			Tasks map[string]int
		}
		if json.Unmarshal(in.Bytes(), &line) != nil {
			continue
		}
		switch line.Msg {
		case "taking orders":
			addr <- line.Addr
		case "stopped":
			a.counts = line.Tasks
		}
	}
	_ = a.log.Close()
	a.exited <- a.cmd.Wait()
}

// lastWords is what it has written at the end of its log.
func (a *app) lastWords() error {
	data, _ := os.ReadFile(a.log.Name())
	return errors.New(string(data[max(0, len(data)-1000):]))
}

// terminate asks it to end; ended waits until it has.
func (a *app) terminate() error { return a.cmd.Process.Signal(syscall.SIGTERM) }

func (a *app) ended(ctx context.Context) error {
	select {
	case err := <-a.exited:
		a.exited <- err
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *app) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.ended(context.Background())
}
