package local

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/ratelimit"
)

func open(t *testing.T, o Options) (*System, *http.Client) {
	t.Helper()
	o.Gateways, o.Backends, o.Probe, o.Deadline = 2, 2, 10*time.Millisecond, time.Second
	o.Policy = "round"
	if o.Limit.Count == 0 {
		o.Limit = ratelimit.PerSecond(1000)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	transport := s.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s, &http.Client{Transport: transport}
}

// canceled is a context for those who must not wait.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func get(t *testing.T, client *http.Client) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestAMachineHasOneLifeAtATime(t *testing.T) {
	s, client := open(t, Options{})
	for name, act := range map[string]func(string) error{
		"start what runs":   s.Start,
		"kill a stranger":   func(string) error { return s.Kill("backend-9") },
		"start a stranger":  func(string) error { return s.Start("gateway-1") },
		"drain a stranger":  func(string) error { return s.Drain(t.Context(), "backend-9") },
		"await a stranger":  func(string) error { return s.Gateways[0].Pool.Await(canceled(t), "backend-9", proxy.Ready) },
		"await a past life": func(name string) error { return s.Gateways[0].Pool.Await(canceled(t), name, proxy.Draining) },
	} {
		if err := act("backend-1"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, end := range []func() error{
		func() error { return s.Kill("backend-1") },
		func() error { return s.Drain(t.Context(), "backend-1") },
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := s.Kill("backend-1"); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("killed twice: %v", err)
		}
		if status := get(t, client); status != http.StatusOK {
			t.Errorf("the other machine: %d", status)
		}
		if err := s.Start("backend-1"); err != nil {
			t.Fatal(err)
		}
		if err := s.Await(t.Context(), "backend-1", proxy.Ready); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClientsReachTheGatewaysInTurn(t *testing.T) {
	s, _ := open(t, Options{Apart: true, Limit: ratelimit.PerHour(1)})
	for i, want := range []int{200, 200, 429, 429} { // each gateway admits one
		transport := s.Transport() // a new connection
		if status := get(t, &http.Client{Transport: transport}); status != want {
			t.Errorf("request %d: %d, want %d", i, status, want)
		}
		transport.CloseIdleConnections()
	}
}
