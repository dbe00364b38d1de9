package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/gateway/local"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
)

// serve runs the program with -serve while use talks to it, and expects that it ends in order.
func serve(t *testing.T, use func(url string), flags ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"-serve", "-addr", "127.0.0.1:0"}, flags...)
		ended <- claim.Run(ctx, gateway(), args, claim.Command{Stdout: writer, Stderr: os.Stderr})
		_ = writer.Close()
	}()
	buffer := make([]byte, 20_000)
	n, err := reader.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	url, rest, _ := strings.Cut(string(buffer[:n]), "\n")
	for _, e := range local.Exchanges() {
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

func TestServedExchangesAreAnsweredAsTheTableSays(t *testing.T) {
	for _, policy := range []string{"least", "bounded"} {
		serve(t, func(url string) {
			for _, err := range exchange.Replay(t.Context(), http.DefaultClient, url, local.Exchanges()) {
				t.Errorf("%s: %v", policy, err)
			}
		}, "-policy", policy)
	}
}

func TestAStalledStoreClosesAServerThatWantsIt(t *testing.T) {
	serve(t, func(url string) {
		for _, e := range []exchange.Exchange{
			{Method: "POST", Path: "/lab/stall", Status: 204},
			{Method: "GET", Path: "/me", Status: 503, Want: map[string]string{"Retry-After": "1", proxy.UnlimitedHeader: "unavailable", "Content-Type": "application/problem+json"}},
			{Method: "GET", Path: proxy.StatusPath, Status: 200}, // not a matter of the limiter
		} {
			if err := e.Do(t.Context(), http.DefaultClient, url); err != nil {
				t.Error(err)
			}
		}
	}, "-on-error", "closed")
}

// TestASessionOutlivesTheMachines goes through a whole shop visit while the machines die one after the other.
func TestASessionOutlivesTheMachines(t *testing.T) {
	serve(t, func(base string) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Jar: jar}
		defer client.CloseIdleConnections()
		post := func(path string, form url.Values) (int, string) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return response.StatusCode, string(body)
		}
		post("/login", url.Values{"user": {"ada"}})
		for i, item := range []string{"tea", "cup", "pot"} {
			status, body := post("/cart", url.Values{"item": {item}})
			if status != http.StatusOK || !strings.Contains(body, `"user":"ada"`) || strings.Count(body, ",") != i+1 {
				t.Errorf("%s: %d %s", item, status, body)
			}
			if status, body := post("/lab/kill/backend-"+string(rune('1'+i)), nil); status != http.StatusNoContent {
				t.Errorf("%d %s", status, body)
			}
		}
		if status, body := post("/logout", nil); status != http.StatusOK || !strings.Contains(body, `"user":""`) {
			t.Errorf("logged out: %d %s", status, body)
		}
		if status, _ := post("/cart", url.Values{"item": {"lid"}}); status != http.StatusUnauthorized {
			t.Errorf("a cart of nobody: %d", status)
		}
	})
}

func TestTheFirstLinesComeAtOnceAndTheLastOnesHelpFurther(t *testing.T) {
	var out, progress bytes.Buffer
	code := claim.Run(t.Context(), gateway(), []string{"-quick", "-only", "e"}, claim.Command{Stdout: &out, Stderr: &progress})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if code != 0 || lines[0] != "gateway: 4 gateways, 4 machines, policy least, limiter fails open, embedded, seed 1" {
		t.Errorf("code %d, first line %q", code, lines[0])
	}
	if last := lines[len(lines)-2:]; !strings.HasSuffix(last[0], "go run ./examples/gateway -serve") || !strings.Contains(last[1], "curl -i http") {
		t.Errorf("last lines %q", last)
	}
}
