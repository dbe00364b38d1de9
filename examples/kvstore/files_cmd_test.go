package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/files"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/web"
)

// site serves a cluster over HTTP.
func site(t *testing.T) (*local.Cluster, *httptest.Server) {
	t.Helper()
	nodes, err := local.Run(t.TempDir(), cluster.Quorum{N: 3, W: 2, R: 2}, local.Names(5), 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web.New(nodes))
	t.Cleanup(func() {
		server.Close()
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	return nodes, server
}

// command runs "kvstore files …".
func command(t *testing.T, stdin string, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = claim.Run(t.Context(), kvstore(), append([]string{"files"}, args...), claim.Command{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	if code != 0 {
		t.Logf("%v: %s", args, errs.String())
	}
	return out.String(), code
}

func TestFilesCommandStoresListsAndReturnsFiles(t *testing.T) {
	nodes, server := site(t)
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	large := make([]byte, 3*files.ChunkSize+17)
	for i := range large {
		large[i] = byte(rng.Uint32())
	}
	for name, content := range map[string][]byte{"large": large, "empty": nil, "sub/ü #?.txt": []byte("umlaut"), "exact": large[:files.ChunkSize], ".git/config": []byte("x")} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	at := "-at=" + server.URL
	out, code := command(t, "", "put", at, "home", dir)
	if code != 0 || !strings.Contains(out, "home/large: 196625 bytes, 4 chunks, ") {
		t.Errorf("code %d: %s", code, out)
	}
	if again, _ := command(t, "", "put", at, "home", dir); strings.Contains(again, " 1 of them new") || !strings.Contains(again, "4 chunks, 0 of them new") {
		t.Errorf("stored twice: %s", again)
	}
	if out, code := command(t, "from the input", "put", at, "input", "-"); code != 0 || !strings.Contains(out, "14 bytes") {
		t.Errorf("code %d: %s", code, out)
	}
	if list, _ := command(t, "", "ls", at); list != "home/empty\nhome/exact\nhome/large\nhome/sub/ü #?.txt\ninput\n" {
		t.Errorf("listed %q", list)
	}
	if list, _ := command(t, "", "ls", at, "home/l"); list != "home/large\n" {
		t.Errorf("listed %q", list)
	}
	if err := nodes.Kill("n2"); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "copy")
	if _, code := command(t, "", "get", at, "home/large", target); code != 0 {
		t.Errorf("code %d", code)
	}
	if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, _ := command(t, "", "get", at, "home/sub/ü #?.txt"); got != "umlaut" {
		t.Errorf("got %q", got)
	}
	if _, code := command(t, "", "get", at, "home/none", target); code != 1 {
		t.Errorf("an absent file: code %d", code)
	}
	if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, large) {
		t.Error("a failed get has damaged the target")
	}
	for _, args := range [][]string{{}, {"put"}, {"rm", "x"}, {"get", "a", "b", "c"}, {"ls", "-bad"}} {
		if _, code := command(t, "", args...); code != 2 {
			t.Errorf("%v: code %d", args, code)
		}
	}
}

func TestAChangedChunkIsNeverReturned(t *testing.T) {
	nodes, server := site(t)
	f := files.Store{Base: server.URL, Client: server.Client()}
	m, fresh, err := f.Put(t.Context(), "f", strings.NewReader("content"))
	if err != nil || fresh != 1 {
		t.Fatalf("%d fresh, %v", fresh, err)
	}
	client := nodes.Client()
	defer client.Close()
	if err := client.Put(t.Context(), "chunk/"+m.Chunks[0], []byte("forgery")); err != nil {
		t.Fatal(err)
	}
	if err := f.Get(t.Context(), "f", io.Discard); !errors.Is(err, files.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if err := client.Delete(t.Context(), "chunk/"+m.Chunks[0]); err != nil {
		t.Fatal(err)
	}
	if err := f.Get(t.Context(), "f", io.Discard); !errors.Is(err, files.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

// TestServeKeepsItsDataBetweenRuns starts the program twice on one folder.
func TestServeKeepsItsDataBetweenRuns(t *testing.T) {
	data := t.TempDir()
	serve := func(use func(url string)) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		reader, writer := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			ended <- claim.Run(ctx, kvstore(), []string{"-serve", "-addr", "127.0.0.1:0", "-data", data}, claim.Command{Stdout: writer, Stderr: os.Stderr})
			_ = writer.Close()
		}()
		text := make([]byte, 10_000)
		n, err := reader.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		url, rest, _ := strings.Cut(string(text[:n]), "\n")
		for _, e := range web.Exchanges() {
			if !strings.Contains(rest, e.Curl(url)) {
				t.Errorf("no line to paste for %s %s", e.Method, e.Path)
			}
		}
		use(url)
		http.DefaultClient.CloseIdleConnections()
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	serve(func(url string) {
		if _, code := command(t, "kept", "put", "-at", url, "f", "-"); code != 0 {
			t.Errorf("put: code %d", code)
		}
	})
	serve(func(url string) {
		if got, code := command(t, "", "get", "-at", url, "f"); code != 0 || got != "kept" {
			t.Errorf("get: code %d, %q", code, got)
		}
	})
}
