package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// build builds a program of one of the modules.
func (s *run) build(module, what string) (file string, err error) {
	file, err = filepath.Abs(filepath.Join(s.dir, filepath.Base(filepath.Join(module, what))))
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-race="+strconv.FormatBool(s.race), "-o", file, what)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", module, err, out)
	}
	return file, nil
}

// A process is a program under attack.
type process struct {
	cmd           *exec.Cmd
	log           string // file
	guard         *guard
	began         time.Time
	terminated    atomic.Bool
	exited        chan struct{}
	plain, secure string // addresses
}

// spawn starts a program, whose standard error goes to a file.
func (s *run) spawn(file, log string, env []string, args ...string) (*process, *bufio.Reader, error) {
	p := &process{cmd: exec.Command(file, args...), log: log, guard: s.guard, began: time.Now(), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	stderr, err := os.Create(log)
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	p.cmd.Stderr = stderr
	if err := s.guard.start(p.cmd); err != nil {
		return nil, nil, err
	}
	return p, bufio.NewReader(out), nil
}

// wait begins to wait for the end. Nothing more may be read from its output.
func (p *process) wait() {
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
		p.guard.gone(p.cmd.Process.Pid)
	}()
}

func (s *run) startTarget(life int) (*process, error) {
	p, out, err := s.spawn(s.target, filepath.Join(s.dir, fmt.Sprintf("target-%d.log", life)), []string{"TMPDIR=" + s.uploads()},
		"-ledger", s.ledger, "-grace", s.grace.String(), "-max-pending", strconv.Itoa(s.maxPending))
	if err != nil {
		return nil, err
	}
	line, _ := out.ReadString('\n')
	p.wait()
	addrs := make(map[string]string)
	if err := json.Unmarshal([]byte(line), &addrs); err != nil {
		p.kill()
		return nil, fmt.Errorf("the target did not start: %s", p.stderr())
	}
	p.plain, p.secure = addrs["plain"], addrs["secure"]
	return p, nil
}

// terminate sends SIGTERM and returns how long the process took to end.
func (p *process) terminate(within time.Duration) (time.Duration, error) {
	began := time.Now()
	p.terminated.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-p.exited:
	case <-time.After(within):
		return time.Since(began), errors.New("it has not ended")
	}
	return time.Since(began), nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) stderr() string {
	data, _ := os.ReadFile(p.log)
	return string(data[max(0, len(data)-4000):])
}

type stats struct {
	Goroutines int
	Pending    int64
}

var statsClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (p *process) stats() (s stats, err error) {
	res, err := statsClient.Get("http://" + p.plain + "/stats")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// memory is the most that the process has had resident, in bytes; 0 where the system does
// not tell.
func (p *process) memory() int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}
