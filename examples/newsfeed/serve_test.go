package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
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
		ended <- claim.Run(ctx, newsfeed(), args, claim.Command{Stdout: writer, Stderr: os.Stderr})
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

// TestServedPostsAreKept also shows that followers are filled again from the log, before a page has to come from them.
func TestServedPostsAreKept(t *testing.T) {
	dir := t.TempDir()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	serve(t, dir, func(url string) {
		for _, err := range exchange.Replay(t.Context(), client, url, web.Exchanges()) {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
	ada := map[string]string{"Authorization": "Bearer ada"}
	fresh := &http.Client{Jar: jar, Transport: &http.Transport{}} // the server has forgotten its session, not the posts
	defer fresh.CloseIdleConnections()
	serve(t, dir, func(url string) {
		for _, e := range []exchange.Exchange{
			{Method: "POST", Path: "/api/posts", Header: ada, Body: `{"text":"Third"}`, Status: 201},
			{Method: "GET", Path: "/api/home", Header: ada, Status: 200, Text: `Third`},
			{Method: "GET", Path: "/api/home", Header: ada, Status: 200, Text: `Second`},
			{Method: "GET", Path: "/api/home", Header: ada, Status: 200, Text: `Hello`},
		} {
			if err := e.Do(t.Context(), fresh, url); err != nil {
				t.Error(err)
			}
		}
		fresh.CloseIdleConnections()
	})
}

func TestTheFirstLinesComeAtOnceAndTheLastOnesHelpFurther(t *testing.T) {
	var out, progress bytes.Buffer
	code := claim.Run(t.Context(), newsfeed(), []string{"-quick", "-only", "f"}, claim.Command{Stdout: &out, Stderr: &progress})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	const first = "newsfeed: hybrid fan-out, SQLite, queue in memory, 2 asynchronous followers in this process 200ms behind, seed 1"
	if code != 0 || lines[0] != first {
		t.Errorf("code %d, first line %q", code, lines[0])
	}
	if last := lines[len(lines)-2:]; !strings.HasSuffix(last[0], "go run ./examples/newsfeed -serve") || !strings.Contains(last[1], "curl -i -H") {
		t.Errorf("last lines %q", last)
	}
}
