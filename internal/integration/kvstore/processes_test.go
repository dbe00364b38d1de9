// Package kvstore_test runs the example kvstore as five processes, built as a user builds it, and kills some of them.
package kvstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var program string // compiled once, from the module that holds it

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sysblocks-kvstore-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "kvstore")
	command := exec.CommandContext(context.Background(), "go", "build", "-C", filepath.Join("..", "..", "..", "examples"), "-o", program, "./kvstore")
	if out, err := command.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// fleet is a number of processes, each one node of the same cluster. A process that is started again has its folder and its
// address for the others, and a new one for clients.
type fleet struct {
	ids, args []string
	dir       string

	mu      sync.Mutex // guards all below
	urls    map[string]string
	running map[string]*exec.Cmd
	output  map[string]io.Reader
}

func newFleet(t *testing.T, mode string, n int) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir(), urls: map[string]string{}, running: map[string]*exec.Cmd{}, output: map[string]io.Reader{}}
	var peers []string
	for i := range n {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		id := fmt.Sprint("n", i+1)
		f.ids = append(f.ids, id)
		peers = append(peers, id+"="+l.Addr().String())
		defer func() { require.NoError(t, l.Close()) }() // when all have one, so that they differ
	}
	f.args = []string{"-serve", "-addr", "127.0.0.1:0", "-mode", mode, "-peers", strings.Join(peers, ",")}
	t.Cleanup(func() {
		for _, command := range f.running {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	return f
}

func (f *fleet) start(t *testing.T, id string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, append([]string{"-node", id, "-data", f.dir}, f.args...)...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	require.NoError(t, err, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.urls[id], f.running[id], f.output[id] = strings.TrimSpace(line), command, out
}

// kill ends a process by SIGKILL.
func (f *fleet) kill(t *testing.T, id string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NoError(t, f.running[id].Process.Kill())
	_ = f.running[id].Wait() // "signal: killed"
	delete(f.running, id)
}

// do asks one process after the other, from the given one on, until one answers with something else than an error of its own.
func (f *fleet) do(t *testing.T, client *http.Client, first int, method, path, body string) (status int, answer string) {
	t.Helper()
	for i := range f.ids {
		f.mu.Lock()
		url := f.urls[f.ids[(first+i)%len(f.ids)]]
		f.mu.Unlock()
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		response, err := client.Do(request)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if status = response.StatusCode; err == nil && status < 500 {
			return status, string(text)
		}
	}
	return status, ""
}

// TestKilledProcessesLoseNoAcknowledgedWrite writes while one process is killed and started again, then kills another one and reads
// everything.
func TestKilledProcessesLoseNoAcknowledgedWrite(t *testing.T) {
	for _, mode := range []string{"quorum", "linear"} {
		t.Run(mode, func(t *testing.T) {
			f := newFleet(t, mode, 5)
			for _, id := range f.ids {
				f.start(t, id)
			}
			client := &http.Client{}
			defer client.CloseIdleConnections()
			const workers, writes, keys = 4, 300, 40
			var ledger [workers]map[string]int // the last acknowledged version of each key; each worker has its own keys
			var all sync.WaitGroup
			for worker := range workers {
				ledger[worker] = map[string]int{}
				all.Go(func() {
					for version := range writes {
						key := fmt.Sprintf("/v1/kv/k%d-%d", worker, version%keys)
						if status, _ := f.do(t, client, worker+version, http.MethodPut, key, strconv.Itoa(version)); status == http.StatusNoContent {
							ledger[worker][key] = version
						} else {
							t.Errorf("write %s: status %d", key, status)
						}
						if worker == 0 && version == writes*2/5 {
							f.kill(t, "n2")
						}
						if worker == 0 && version == writes*7/10 {
							f.start(t, "n2")
						}
					}
				})
			}
			all.Wait()
			f.kill(t, "n4")
			for worker, acked := range ledger {
				for key, version := range acked {
					status, value := f.do(t, client, worker, http.MethodGet, key, "")
					got, err := strconv.Atoi(value)
					if status != http.StatusOK || err != nil || got < version {
						t.Errorf("%s: status %d, version %q, acknowledged %d", key, status, value, version)
					}
				}
			}
			status, list := f.do(t, client, 0, http.MethodGet, "/v1/keys?prefix=k", "")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, workers*keys, strings.Count(list, "\"k")-1, "every key once, and the word keys")
		})
	}
}

// TestAProcessEndsInOrder sends the signal that a service manager sends.
func TestAProcessEndsInOrder(t *testing.T) {
	f := newFleet(t, "quorum", 3)
	for _, id := range f.ids {
		f.start(t, id)
	}
	for _, id := range f.ids {
		require.NoError(t, f.running[id].Process.Signal(syscall.SIGTERM))
		_, err := io.Copy(io.Discard, f.output[id])
		require.NoError(t, err)
		require.NoError(t, f.running[id].Wait())
		delete(f.running, id)
	}
}
