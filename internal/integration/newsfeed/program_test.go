// Package newsfeed_test runs the example newsfeed, built as a user builds it, against real servers: their own counters must show
// that they did the work, and their death must show in the exit code.
package newsfeed_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var program string // compiled once, from the module that holds it

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sysblocks-newsfeed-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "newsfeed")
	command := exec.CommandContext(context.Background(), "go", "build", "-C", filepath.Join("..", "..", "..", "examples"), "-o", program, "./newsfeed")
	if out, err := command.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// verdict is a line of -format json; the last line is a summary, with Claims > 0.
type verdict struct {
	Claim   string             `json:"claim"`
	Pass    bool               `json:"pass"`
	Facts   map[string]float64 `json:"facts"`
	Error   string             `json:"error"`
	Engines string             `json:"engines"`
	Claims  int                `json:"claims"`
	Held    int                `json:"held"`
	Broke   int                `json:"broke"`
	Control struct {
		Error string `json:"error"`
	} `json:"control"`
}

// demo runs the claims and returns their verdicts, the exit code, and what was said on standard error. seen is called with each
// verdict as it falls.
func demo(t *testing.T, seen func(verdict), args ...string) ([]verdict, int, string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, append([]string{"-quick", "-format", "json"}, args...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var verdicts []verdict
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var v verdict
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v), lines.Text())
		verdicts = append(verdicts, v)
		seen(v)
	}
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return verdicts, command.ProcessState.ExitCode(), stderr.String()
}

// process is a served instance.
type process struct {
	URL     string
	command *exec.Cmd
	out     io.Reader
}

// serve starts a process and waits for its first line. It is told to end when the test ends, and must then exit with 0.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, append([]string{"-serve", "-addr", "127.0.0.1:0"}, args...)...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	p := &process{URL: strings.TrimSpace(line), command: command, out: out}
	require.NoError(t, err)
	require.Contains(t, p.URL, "http://127.0.0.1:")
	return p
}

// stop ends a process in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	_, err := io.Copy(io.Discard, p.out)
	require.NoError(t, err)
	require.NoError(t, p.command.Wait())
}
