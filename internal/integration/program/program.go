// Package program runs an example as its users do: compiled from the module that holds it, in processes of its own.
package program

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

// Main compiles an example, puts the path of the program where built points, and runs the tests. It is the whole of a TestMain.
func Main(m *testing.M, example string, built *string) {
	dir, err := os.MkdirTemp("", "sysblocks-"+example+"-")
	if err != nil {
		panic(err)
	}
	*built = filepath.Join(dir, example)
	command := exec.CommandContext(context.Background(), "go", "build", "-C", filepath.Join("..", "..", "..", "examples"), "-o", *built, "./"+example)
	if out, err := command.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// Verdict is a line of -format json; the last line is a summary, with Claims > 0.
type Verdict struct {
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

// Demo runs the claims with -quick and returns their verdicts, the exit code, and what was said on standard error. seen is called
// with each verdict as it falls.
func Demo(t *testing.T, program string, seen func(Verdict), args ...string) ([]Verdict, int, string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, append([]string{"-quick", "-format", "json"}, args...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var verdicts []Verdict
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var v Verdict
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

// Process is a program that serves.
type Process struct {
	URL     string
	command *exec.Cmd
	out     io.Reader
	ended   bool // the test has waited for it
}

// Serve starts the program with -serve on a free port and waits for its first line, which is its URL.
func Serve(t *testing.T, program string, args ...string) *Process {
	t.Helper()
	return Start(t, program, append([]string{"-serve", "-addr", "127.0.0.1:0"}, args...)...)
}

// Start starts a program whose first line is its URL. It is killed at the end of the test, if it still runs.
func Start(t *testing.T, program string, args ...string) *Process {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	p := &Process{command: command, out: bufio.NewReader(stdout)}
	t.Cleanup(p.Kill)
	line, err := p.out.(*bufio.Reader).ReadString('\n')
	require.NoError(t, err)
	p.URL = strings.TrimSpace(line)
	require.Contains(t, p.URL, "http://127.0.0.1:")
	return p
}

// Stop ends a process in order: it must exit with 0.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	_, err := io.Copy(io.Discard, p.out)
	require.NoError(t, err)
	p.ended = true
	require.NoError(t, p.command.Wait())
}

// Kill ends a process as a power cut does. One that has ended is left alone.
func (p *Process) Kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.command.Process.Kill() // it may have ended just now
	_ = p.command.Wait()         // the exit status of a killed process says nothing
}
