package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A program is the built binary, as a user would start it.
type program struct {
	t      *testing.T
	dir    string
	url    string
	client *http.Client
	stderr logbook
	stdout logbook
	cmd    *exec.Cmd
	exited chan struct{}
}

// launch starts the program in a folder of its own, with more settings.
func launch(t *testing.T, env []string, flags ...string) *program {
	t.Helper()
	file, err := binary()
	require.NoError(t, err)
	p := &program{t: t, dir: t.TempDir(), exited: make(chan struct{})}
	p.cmd = exec.Command(file, append([]string{"-addr", "127.0.0.1:0", "-dir", p.dir}, flags...)...)
	p.cmd.Env = environment(env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		assert.NotContains(t, p.stderr.String(), "DATA RACE")
		if t.Failed() {
			t.Logf("the program's log:\n%s", p.stderr.tail(8000))
		}
	})
	return p
}

// environment is ours without settings of the program.
func environment(settings ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "ORDERS_") {
			env = append(env, entry)
		}
	}
	return append(env, settings...) // the last of a name counts
}

// start launches the program and waits until it takes orders.
func start(t *testing.T, flags ...string) *program {
	t.Helper()
	return startIn(t, nil, flags...)
}

// startIn starts it in an environment with more settings.
func startIn(t *testing.T, env []string, flags ...string) *program {
	t.Helper()
	p := launch(t, env, flags...)
	p.isReady()
	return p
}

// isReady waits until the program takes orders.
func (p *program) isReady() {
	t := p.t
	t.Helper()
	eventually(t, "the program takes orders", func() bool {
		return p.ended() || len(p.stderr.find("taking orders")) == 1
	})
	require.False(t, p.ended(), "it has ended")
	p.url = "http://" + p.stderr.find("taking orders")[0]["addr"].(string)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport, Timeout: hang}
}

func (p *program) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *program) signal(sig syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(sig))
}

// terminate sends SIGTERM and waits until the program has taken note.
func (p *program) terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.eventuallyLogs("shutting down: requests, then tasks; once more to end at once", "signal", "terminated")
}

// exitCode waits for the program to end.
func (p *program) exitCode() int {
	p.t.Helper()
	receive(p.t, "the program's end", p.exited)
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the program as it should be, and returns the counts that it logs at last.
func (p *program) stop() map[string]any {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Zero(p.t, p.exitCode(), p.stderr.tail(2000))
	lines := p.stderr.find("stopped")
	require.Len(p.t, lines, 1)
	return lines[0]["tasks"].(map[string]any)
}

// eventuallyLogs waits for a line with that message and those attributes.
func (p *program) eventuallyLogs(msg string, attrs ...string) (line map[string]any) {
	p.t.Helper()
	eventually(p.t, "a line in the log: "+msg, func() bool {
		for _, found := range p.stderr.find(msg, attrs...) {
			line = found
		}
		return line != nil
	})
	return line
}

// A reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   []byte
	last   bool // of its connection
}

func (p *program) request(method, path string, header http.Header, body io.Reader) reply {
	p.t.Helper()
	res, err := p.try(method, path, header, body)
	require.NoError(p.t, err)
	return res
}

func (p *program) try(method, path string, header http.Header, body io.Reader) (reply, error) {
	req, err := http.NewRequest(method, p.url+path, body)
	if err != nil {
		return reply{}, err
	}
	req.Header = header.Clone()
	res, err := p.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, data, res.Close}, err
}

// get reads JSON.
func (p *program) get(path string, v any) {
	p.t.Helper()
	got := p.request(http.MethodGet, path, nil, nil)
	require.Equal(p.t, 200, got.status, string(got.body))
	dec := json.NewDecoder(bytes.NewReader(got.body))
	dec.DisallowUnknownFields()
	require.NoError(p.t, dec.Decode(v))
}

// post sends an order as JSON, with more headers by name and value.
func (p *program) post(body string, headers ...string) reply {
	p.t.Helper()
	got, err := p.tryPost(body, headers...)
	require.NoError(p.t, err)
	return got
}

func (p *program) tryPost(body string, headers ...string) (reply, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return p.try(http.MethodPost, "/orders", header, strings.NewReader(body))
}

// order posts one that is taken, and returns its number.
func (p *program) order(body string, headers ...string) int64 {
	p.t.Helper()
	got := p.post(body, headers...)
	require.Equal(p.t, http.StatusCreated, got.status, string(got.body))
	return orderID(p.t, got.body)
}

func orderID(t *testing.T, body []byte) int64 {
	t.Helper()
	var answer struct {
		ID int64 `json:"order_id"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	return answer.ID
}

// details reads an order as it is now.
func (p *program) details(id int64) (o Order) {
	p.t.Helper()
	p.get("/orders/"+strconv.FormatInt(id, 10), &o)
	return o
}

// processed waits until an order's last step has ended.
func (p *program) processed(id int64) (o Order) {
	p.t.Helper()
	eventually(p.t, "the end of order "+strconv.FormatInt(id, 10), func() bool {
		o = p.details(id)
		return o.Steps[len(stepNames)-1].EndedAt != nil
	})
	return o
}

// reaches waits until a step of an order runs.
func (p *program) reaches(id int64, step int) (o Order) {
	p.t.Helper()
	eventually(p.t, stepNames[step]+" of order "+strconv.FormatInt(id, 10), func() bool {
		o = p.details(id)
		return o.Steps[step].State == "running"
	})
	return o
}
