package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// site serves a cluster over HTTP.
func site(t *testing.T, mode cluster.Mode) (*local.Cluster, *httptest.Server) {
	t.Helper()
	nodes, err := local.Run(t.TempDir(), cluster.Quorum{N: 3, W: 2, R: 2, Mode: mode}, local.Names(5), 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(New(nodes))
	t.Cleanup(func() {
		server.Close()
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	return nodes, server
}

func TestExchangesAreAnsweredAsDocumentedInEveryMode(t *testing.T) {
	for _, mode := range []cluster.Mode{cluster.Newest, cluster.Linear, cluster.Available} {
		_, server := site(t, mode)
		if wrong := exchange.Replay(t.Context(), server.Client(), server.URL, Exchanges()); wrong != nil {
			t.Errorf("%s: %v", mode, errors.Join(wrong...))
		}
	}
	yes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer yes.Close()
	if wrong := exchange.Replay(t.Context(), yes.Client(), yes.URL, Exchanges()); len(wrong) != len(Exchanges()) {
		t.Errorf("a server that says 200 to all is right in %d exchanges", len(Exchanges())-len(wrong))
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	nodes, server := site(t, cluster.Newest)
	do := func(name string, e exchange.Exchange) {
		t.Helper()
		if err := e.Do(t.Context(), server.Client(), server.URL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	do("too large", exchange.Exchange{Method: "PUT", Path: "/v1/kv/k", Body: strings.Repeat("x", wire.MaxValue+1), Status: 413, Text: "error"})
	do("largest", exchange.Exchange{Method: "PUT", Path: "/v1/kv/k", Body: strings.Repeat("x", wire.MaxValue), Status: 204})
	do("long key", exchange.Exchange{Method: "GET", Path: "/v1/kv/" + strings.Repeat("k", wire.MaxKey+1), Status: 400})
	do("zero byte", exchange.Exchange{Method: "GET", Path: "/v1/kv/a%00b", Status: 400})
	do("zero byte in a listing", exchange.Exchange{Method: "GET", Path: "/v1/keys?prefix=a%00b", Status: 400})
	do("a condition in mode quorum", exchange.Exchange{Method: "PUT", Path: "/v1/kv/k", Body: "x", Header: map[string]string{"If-None-Match": "*"}, Status: 400})
	do("no limit", exchange.Exchange{Method: "GET", Path: "/v1/keys?limit=many", Status: 400})
	do("too high a limit", exchange.Exchange{Method: "GET", Path: "/v1/keys?limit=1001", Status: 400})
	do("no JSON", exchange.Exchange{Method: "POST", Path: "/v1/nodes", Body: "n6", Status: 400})
	do("a folder outside", exchange.Exchange{Method: "POST", Path: "/v1/nodes", Body: `{"id":"../x","zone":"a"}`, Status: 400})
	do("no such action", exchange.Exchange{Method: "POST", Path: "/v1/nodes/n1/explode", Status: 404})
	do("a page elsewhere", exchange.Exchange{
		Method: "POST", Path: "/v1/nodes/n1/kill", Status: 403, Header: map[string]string{"Sec-Fetch-Site": "cross-site"},
	})
	do("key with a slash", exchange.Exchange{Method: "PUT", Path: "/v1/kv/a/b%2Fc", Body: "x", Status: 204})
	do("the same key", exchange.Exchange{Method: "GET", Path: "/v1/kv/a/b/c", Status: 200, Text: "x"})
	for id := range nodes.Up() {
		if id != "n1" {
			if err := nodes.Kill(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	away := map[string]string{"Retry-After": "1"}
	do("write without a quorum", exchange.Exchange{Method: "PUT", Path: "/v1/kv/k", Body: "x", Status: 503, Want: away})
	do("read without a quorum", exchange.Exchange{Method: "GET", Path: "/v1/kv/k", Status: 503, Want: away})
	do("listing without a quorum", exchange.Exchange{Method: "GET", Path: "/v1/keys", Status: 503, Want: away})
}

// tag reads a key and returns its ETag.
func tag(t *testing.T, server *httptest.Server, status int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/kv/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != status {
		t.Errorf("status %d, want %d, %v", response.StatusCode, status, err)
	}
	return response.Header.Get("ETag")
}

func TestConditionsIncrementsAndRepetitionsInModeLinear(t *testing.T) {
	_, server := site(t, cluster.Linear)
	do := func(name, method, body string, header map[string]string, status int) {
		t.Helper()
		e := exchange.Exchange{Method: method, Path: "/v1/kv/k", Body: body, Header: header, Status: status}
		if err := e.Do(t.Context(), server.Client(), server.URL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	do("create", "PUT", "1", map[string]string{"If-None-Match": "*"}, 204)
	do("create again", "PUT", "1", map[string]string{"If-None-Match": "*"}, 412)
	first := tag(t, server, 200)
	do("replace", "PUT", "2", map[string]string{"If-Match": first}, 204)
	do("replace what is gone", "PUT", "3", map[string]string{"If-Match": first}, 412)
	do("no version", "PUT", "3", map[string]string{"If-Match": "x"}, 400)
	do("add", "POST", "40", map[string]string{"Idempotency-Key": "7"}, 204)
	do("add again", "POST", "40", map[string]string{"Idempotency-Key": "7"}, 204)
	do("no name", "POST", "1", map[string]string{"Idempotency-Key": "seven"}, 400)
	do("no number", "POST", "x", nil, 400)
	if err := (exchange.Exchange{Method: "GET", Path: "/v1/kv/k", Status: 200, Text: "42"}).Do(t.Context(), server.Client(), server.URL); err != nil {
		t.Error(err)
	}
}

func TestSiblingsAreShownAndResolvedInModeAvailable(t *testing.T) {
	_, server := site(t, cluster.Available)
	put := func(body, header, value string) {
		t.Helper()
		e := exchange.Exchange{Method: "PUT", Path: "/v1/kv/k", Body: body, Header: map[string]string{header: value}, Status: 204}
		if err := e.Do(t.Context(), server.Client(), server.URL); err != nil {
			t.Error(err)
		}
	}
	put("tea", "If-None-Match", "*") // two clients that have seen nothing
	put("milk", "If-None-Match", "*")
	both := tag(t, server, 300)
	put("tea, milk", "If-Match", both)
	tag(t, server, 200)
}
