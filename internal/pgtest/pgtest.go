//go:build unix

// Package pgtest starts private Postgres servers for tests, from the binaries that are installed on
// the machine: each has a directory of its own, listens on a Unix socket in it and on nothing
// else, and ends with the test.
package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrNone says that there are no Postgres binaries on this machine.
var ErrNone = errors.New("no Postgres binaries found (initdb, postgres): tests that need Postgres are skipped; on Debian: apt-get install postgresql")

// Installed returns ErrNone where New would: a quick look, nothing is started.
func Installed() error {
	_, err := binaries()
	return err
}

// A Cluster is a Postgres server of its own.
type Cluster struct {
	bin, dir string
	settings []string
	user     *syscall.Credential // nil: ours
	server   *exec.Cmd
	ended    chan struct{}
	made     atomic.Int64
}

// New makes a server and starts it. The settings are like those of postgresql.conf, "fsync=off"
// for one. Close it when it is no longer needed; it also ends with this process.
func New(settings ...string) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") // short: the path of a Unix socket has a limit
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, settings: settings, user: unprivileged()}
	if c.user != nil {
		if err := os.Chown(dir, int(c.user.Uid), int(c.user.Gid)); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// binaries finds the folder with initdb and postgres; Debian keeps it out of PATH.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	sort.Slice(found, func(i, j int) bool {
		return len(found[i]) < len(found[j]) || len(found[i]) == len(found[j]) && found[i] < found[j]
	})
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", ErrNone
}

// command is one that runs in the cluster's directory, as the user that the server runs as.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.user}
	return cmd
}

func (c *Cluster) run(name string, args ...string) error {
	if out, err := c.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: %s: %w\n%s", name, err, out)
	}
	return nil
}

// Start starts the server again after Stop or Kill.
func (c *Cluster) Start() error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	args := []string{"-D", c.data(), "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	c.server = c.command("postgres", args...)
	c.server.Stdout, c.server.Stderr = log, log
	dieWithParent(c.server.SysProcAttr)
	c.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the end of the thread that has started it would end the server too
		defer close(c.ended)
		defer log.Close()
		err := c.server.Start()
		started <- err
		if err == nil {
			_ = c.server.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return c.untilReady()
}

func (c *Cluster) untilReady() error {
	deadline := time.After(time.Minute)
	for {
		if c.run("psql", "-h", c.dir, "-U", "postgres", "-c", "SELECT 1") == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("pgtest: the server has ended:\n%s", c.lastLines())
		case <-deadline:
			return fmt.Errorf("pgtest: the server is not ready:\n%s", c.lastLines())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Cluster) lastLines() []byte {
	log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	lines := bytes.Split(log, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], []byte("\n"))
}

// Stop ends the server and all connections.
func (c *Cluster) Stop() { c.end(syscall.SIGINT) }

// Kill ends the server as a crash would.
func (c *Cluster) Kill() { c.end(syscall.SIGQUIT) }

func (c *Cluster) end(sig syscall.Signal) {
	if c.ended == nil {
		return
	}
	_ = c.server.Process.Signal(sig)
	<-c.ended
	c.ended = nil
}

// Close stops the server and removes all that it has.
func (c *Cluster) Close() error {
	c.Stop()
	return os.RemoveAll(c.dir)
}

// Database makes a new, empty database and returns its URL.
func (c *Cluster) Database() (url string, err error) {
	name := fmt.Sprintf("db%d", c.made.Add(1))
	if err := c.run("createdb", "-h", c.dir, "-U", "postgres", name); err != nil {
		return "", err
	}
	return c.URL(name), nil
}

// URL is that of the database with this name.
func (c *Cluster) URL(name string) string {
	return fmt.Sprintf("postgres:///%s?host=%s&user=postgres", name, c.dir)
}
