package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
)

// serve runs the program with -serve while use talks to it, and expects that it ends in order.
func serve(t *testing.T, data string, use func(url string)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		args := []string{"-serve", "-addr", "127.0.0.1:0", "-data", data}
		ended <- claim.Run(ctx, tinyurl(), args, claim.Command{Stdout: writer, Stderr: os.Stderr})
		_ = writer.Close()
	}()
	buffer := make([]byte, 20_000)
	n, err := reader.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	url, rest, _ := strings.Cut(string(buffer[:n]), "\n")
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

// TestServedLinksAreKept also shows that the filter is filled again: a link that it does not know would be denied.
func TestServedLinksAreKept(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, func(url string) {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		for _, err := range exchange.Replay(t.Context(), client, url, web.Exchanges()) {
			t.Error(err)
		}
	})
	serve(t, dir, func(url string) {
		for _, e := range []exchange.Exchange{
			{Method: "GET", Path: "/api/links/go-spec", Status: 200, Text: "https://go.dev/ref/spec"},
			{Method: "GET", Path: "/go-docs", Status: 410},
			{Method: "GET", Path: "/nothing", Status: 404},
			{Method: "POST", Path: "/api/links", Body: `{"url":"https://go.dev/"}`, Status: 201},
		} {
			if err := e.Do(t.Context(), http.DefaultClient, url); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTheFirstLinesComeAtOnceAndTheLastOnesHelpFurther(t *testing.T) {
	var out, progress bytes.Buffer
	code := claim.Run(t.Context(), tinyurl(), []string{"-quick", "-only", "f"}, claim.Command{Stdout: &out, Stderr: &progress})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if code != 0 || lines[0] != "tinyurl: 4 instances, segment codes, embedded SQLite, seed 1" {
		t.Errorf("code %d, first line %q", code, lines[0])
	}
	if last := lines[len(lines)-2:]; !strings.HasSuffix(last[0], "go run ./examples/tinyurl -serve") || !strings.Contains(last[1], "curl -i -d") {
		t.Errorf("last lines %q", last)
	}
}
